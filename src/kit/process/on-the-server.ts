// A bundle for the server, and Node.js, get this file for `#only-on-the-server`: nothing is wrong there.
export {};

// A bundle for the browser gets this file for `#only-on-the-server`. With this import, the build names the component at fault.
import "server-only";

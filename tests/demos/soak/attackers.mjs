import { once } from "node:events";
import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

// Hostile clients, in a process of their own: node attackers.mjs <origin> <JSON of what they know>. They hear by messages
// which attacks to make, and take less than half a core together.

/** @typedef {{ cookie: string, imageId?: string, fileUrl: string, uploadUrls: string[] }} Known */

const [origin = "", text = "{}"] = process.argv.slice(2);
/** @type {Known} */
const known = JSON.parse(text);
const { hostname, port } = new URL(origin);
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

// A connection that the server ended while a large body was being written has nobody else to hear of it.
process.on("uncaughtException", (error) => {
  if (!("code" in error) || !["EPIPE", "ECONNRESET"].includes(String(error.code))) throw error;
});

/** Whether the attackers have used less than their share of a core lately. */
let isWithinShare = true;
let before = process.cpuUsage();
setInterval(() => {
  const { user, system } = process.cpuUsage(before);
  before = process.cpuUsage();
  isWithinShare = user + system < 0.45 * 100_000;
}, 100).unref();

/**
 * @param {string} method
 * @param {string} path
 * @param {string | Buffer} [body]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<void>} when it was answered, or not
 */
function send(method, path, body, headers = {}) {
  return new Promise((resolve) => {
    const sent = httpRequest({
      hostname,
      port,
      agent,
      method,
      path,
      headers: { ...headers, Connection: "keep-alive" },
    });
    sent.on("response", (response) =>
      response
        .on("error", () => undefined)
        .resume()
        .on("close", resolve),
    );
    sent.on("error", () => resolve());
    sent.setTimeout(30_000, () => sent.destroy());
    sent.end(body);
  });
}

const anonymous = { "Content-Type": "application/json" };
const json = { "Content-Type": "application/json", Cookie: known.cookie };
/** @param {string} name @param {unknown} args */
const call = (name, args) => send("POST", `/api/trpc/${name}`, JSON.stringify({ json: args }), json);
/** @param {string} name @param {string} input */
const ask = (name, input) => send("GET", `/api/trpc/${name}?input=${encodeURIComponent(input)}`);

/**
 * Opens a connection, writes to it and leaves it.
 *
 * @param {string} beginning
 * @param {{ each?: number, isRead?: boolean }} [how] milliseconds between two bytes that follow; whether answers are read
 * @returns {Promise<() => void>} hangs up
 */
async function hold(beginning, { each = 0, isRead = true } = {}) {
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  if (isRead) socket.resume();
  else socket.pause();
  socket.write(beginning);
  const timer = each > 0 ? setInterval(() => socket.destroyed || socket.write("x"), each) : undefined;
  return () => {
    clearInterval(timer);
    socket.destroy();
  };
}

/** @param {string} path @param {number} length @param {string} [cookie] */
const head = (path, length, cookie = known.cookie) =>
  `POST ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nCookie: ${cookie}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

const typedArrays = JSON.stringify({
  json: Object.fromEntries(Array.from({ length: 140 }, (_, n) => [`k${n}`, 90_000_000])),
  meta: {
    values: Object.fromEntries(Array.from({ length: 140 }, (_, n) => [`k${n}`, [["typed-array", "Uint8Array"]]])),
  },
});
const cyclicSet = JSON.stringify({
  json: { a: Array.from({ length: 20_000 }, (_, n) => n) },
  meta: {
    values: { a: ["set"] },
    referentialEqualities: { a: Array.from({ length: 9_000 }, (_, n) => `a.${n}`) },
  },
});
const nested = `{"json":${"[".repeat(120_000)}${"]".repeat(120_000)}}`;
const crowd = (/** @type {string} */ name, /** @type {number} */ count) =>
  send("GET", `/api/trpc/${Array(count).fill(name).join(",")}?batch=1&input=%7B%7D`);

/** By name: what one client does again and again, and how many such there are. @type {Record<string, { clients: number, attack: () => Promise<unknown> }>} */
const repeated = {
  "typed arrays": { clients: 8, attack: () => ask("messages.list", typedArrays) },
  "cyclic sets": { clients: 4, attack: () => send("POST", "/api/trpc/messages.sendMessage", cyclicSet, json) },
  "nested lists": { clients: 4, attack: () => send("POST", "/api/trpc/messages.sendMessage", nested, json) },
  "large batches": { clients: 8, attack: () => crowd("messages.list", 50) },
  "allowed batches": { clients: 4, attack: () => crowd("messages.list", 10) },
  "long values": { clients: 8, attack: () => call("files.getUrl", { storageId: "x".repeat(200_000) }) },
  messages: { clients: 8, attack: () => call("messages.sendMessage", { author: "eve", body: "y".repeat(9_000) }) },
  thumbnails: { clients: 20, attack: () => call("images.generateThumbnail", { imageId: known.imageId ?? "" }) },
  fetches: { clients: 20, attack: () => call("images.downloadAndStore", { url: "http://8.8.8.8/a.png" }) },
  visitors: {
    clients: 8,
    attack: () => send("POST", "/api/auth/sign-in/anonymous", "{}", anonymous),
  },
  guesses: {
    clients: 20,
    attack: () =>
      send("POST", "/api/auth/sign-in/email", '{"email":"ada@example.com","password":"wrong password"}', anonymous),
  },
  "large sign-ins": {
    clients: 2,
    attack: () => send("POST", "/api/auth/sign-in/email", Buffer.alloc(20_000_000, " "), json),
  },
  uploads: {
    clients: 4,
    attack: () => send("POST", known.uploadUrls.pop() ?? "/api/storage/upload", Buffer.alloc(1_000_000)),
  },
};

/** By name: what is opened and left open, and how many times. @type {Record<string, { count: number, open: () => Promise<() => void> }>} */
const held = {
  "slow bodies": { count: 300, open: () => hold(head("/api/trpc/messages.sendMessage", 100_000), { each: 5_000 }) },
  "slow sign-ins": { count: 100, open: () => hold(head("/api/auth/sign-in/email", 10_000), { each: 5_000 }) },
  "half a request": { count: 200, open: () => hold("GET / HTTP/1.1\r\nHost: x\r\nX-A: b") },
  "unread downloads": {
    count: 300,
    open: () => hold(`GET ${known.fileUrl} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`, { isRead: false }),
  },
  "stalled uploads": {
    count: 60,
    open: () => {
      const url = known.uploadUrls.pop() ?? "/api/storage/upload";
      return hold(`${head(url, 50_000_000)}${"z".repeat(400_000)}`);
    },
  },
  streams: {
    count: 1_000,
    open: () =>
      hold(
        `GET /api/trpc/_kit.changes?input=%7B%7D HTTP/1.1\r\nHost: ${hostname}\r\nAccept: text/event-stream\r\n\r\n`,
      ),
  },
};

/** What the bare handlers of the tests' own server know. */
process.send?.({ attacks: [...Object.keys(repeated), ...Object.keys(held)] });

let round = 0;
process.on("message", async (/** @type {string[]} */ names) => {
  const mine = ++round;
  for (const name of names) {
    const { clients = 0, attack = async () => undefined } = repeated[name] ?? {};
    for (let client = 0; client < clients; client++) void repeat(mine, attack);
    void holdOpen(mine, held[name]);
  }
});

/** @param {number} mine @param {() => Promise<unknown>} attack */
async function repeat(mine, attack) {
  while (round === mine) {
    if (isWithinShare) await attack();
    // An answer that comes at once is no reason to take more than the share.
    await pause(isWithinShare ? 1 : 50);
  }
}

/** @param {number} mine @param {{ count: number, open: () => Promise<() => void> } | undefined} what */
async function holdOpen(mine, what) {
  const ends = [];
  for (let n = 0; what && n < what.count && round === mine; n++) {
    ends.push(await what.open());
    // Node accepts one connection in each turn of its loop. Whoever opens thousands at once keeps everybody from connecting,
    // whatever the app does; that is for a proxy in front to bound.
    await pause(isWithinShare ? 20 : 100);
  }
  while (round === mine) await pause(50);
  for (const end of ends) end();
}

await once(process, "disconnect");
process.exit();

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { announce, closeStreams, openStreams } from "./streams.mjs";

// The load generator, a process of its own: what it costs is not the server's. Large transfers use bare sockets and one
// buffer, since a client that is slower than the server would measure itself.

/** @typedef {{ method?: string, path: string, headers?: Record<string, string>, body?: string | Uint8Array }} Call */

const oneMiB = randomBytes(1024 * 1024);

/**
 * Sends one request with a body of `size` bytes, and counts the bytes of the answer's body.
 *
 * @param {{ port: number, method?: string, path: string, headers?: Record<string, string>, size?: number }} options
 * @returns {Promise<{ seconds: number, status: number, received: number, text: string }>} `text` is the answer's first 64 KiB
 */
async function transfer({ port, method = "GET", path, headers = {}, size = 0 }) {
  let head = Buffer.alloc(0);
  let bodyStart = -1;
  let received = 0;
  /** @param {Buffer} bytes */
  const receive = (bytes) => {
    received += bytes.length;
    if (head.length < 65_536) head = Buffer.concat([head, bytes.subarray(0, 65_536)]);
    if (bodyStart < 0) bodyStart = head.indexOf("\r\n\r\n") + 4;
    return true;
  };
  const started = performance.now();
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  const onread = { buffer, callback: (/** @type {number} */ length) => receive(buffer.subarray(0, length)) };
  const socket = connect({ port, host: "127.0.0.1", onread });
  const closed = once(socket, "close");
  const sent = { Host: `127.0.0.1:${port}`, Connection: "close", ...(size && { "Content-Length": size }), ...headers };
  const lines = Object.entries(sent).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  for (let rest = size; rest > 0; rest -= oneMiB.length) {
    const more = socket.write(oneMiB.subarray(0, rest));
    if (!more) await Promise.race([once(socket, "drain"), closed]);
  }
  await closed;
  const seconds = (performance.now() - started) / 1000;
  const status = Number(head.toString("latin1", 9, 12));
  return { seconds, status, received: received - bodyStart, text: head.toString("utf8", bodyStart) };
}

/**
 * Does all of `calls`, `concurrency` at a time.
 *
 * @param {{ port: number, concurrency: number, calls: Call[] }} options
 * @returns {Promise<number>} seconds
 */
function repeat({ port, concurrency, calls }) {
  return timed(concurrency, calls, (agent, call) => ask(agent, port, call));
}

/**
 * Uploads `count` files of `size` bytes through the whole flow: a URL by tRPC, the bytes, the row by tRPC.
 *
 * @param {{ port: number, concurrency: number, count: number, size: number }} options
 * @returns {Promise<number>} seconds
 */
function uploadFlow({ port, concurrency, count, size }) {
  return timed(concurrency, Array.from({ length: count }), async (agent) => {
    const url = await mutate(agent, port, "files.generateUploadUrl", {});
    const { pathname, search } = new URL(url);
    const headers = { "Content-Type": "image/png" };
    const body = oneMiB.subarray(0, size);
    const stored = await ask(agent, port, { method: "POST", path: pathname + search, headers, body });
    await mutate(agent, port, "files.saveFile", { storageId: JSON.parse(stored).storageId, name: "bench.png" });
  });
}

/**
 * @param {Agent} agent
 * @param {number} port
 * @param {string} name
 * @param {object} args
 */
async function mutate(agent, port, name, args) {
  const body = JSON.stringify({ json: args });
  const headers = { "Content-Type": "application/json" };
  const text = await ask(agent, port, { method: "POST", path: `/api/trpc/${name}`, headers, body });
  return JSON.parse(text).result.data.json;
}

/**
 * @template T
 * @param {number} concurrency
 * @param {T[]} tasks
 * @param {(agent: Agent, task: T) => Promise<unknown>} run
 */
async function timed(concurrency, tasks, run) {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const queue = tasks.values();
  const started = performance.now();
  const worker = async () => {
    for (const task of queue) await run(agent, task);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  agent.destroy();
  return (performance.now() - started) / 1000;
}

/**
 * @param {Agent} agent
 * @param {number} port
 * @param {Call} call
 * @returns {Promise<string>}
 */
function ask(agent, port, { method = "GET", path, headers, body }) {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
    const sent = request({ agent, port, host: "127.0.0.1", method, path, headers: { ...headers, ...length } });
    sent.on("error", reject).on("response", (response) => {
      /** @type {Buffer[]} */
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk)).on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("latin1");
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${method} ${path} answered ${response.statusCode}: ${text.slice(0, 500)}`));
      });
    });
    sent.end(body);
  });
}

/**
 * What each takes is in the types of `startLoad`, which alone calls them.
 *
 * @type {Record<string, (options: never) => Promise<unknown>>}
 */
const commands = { transfer, repeat, uploadFlow, openStreams, closeStreams, announce };

process.on("message", async (/** @type {{ id: number, name: string, options: object }} */ { id, name, options }) => {
  try {
    process.send?.({ id, result: await commands[name]?.(/** @type {never} */ (options)) });
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
});
process.on("disconnect", () => process.exit());

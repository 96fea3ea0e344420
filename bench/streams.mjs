import { connect } from "node:net";
import { mutate } from "./app.mjs";

// Streams of server-sent events, held open by the load generator over bare sockets.

/** Opened at once: more than a server's queue of new connections holds would be turned away. */
const batch = 50;

/** @typedef {{ close: () => void, nextChange: () => Promise<void> }} Stream */

/** @type {Stream[]} */
const streams = [];

/**
 * Opens streams, and waits until each has sent an event with an id: it is up to date then.
 *
 * @param {{ port: number, path: string, count: number }} options
 */
export async function openStreams({ port, path, count }) {
  while (streams.length < count) {
    const missing = Math.min(batch, count - streams.length);
    streams.push(...(await Promise.all(Array.from({ length: missing }, () => open(port, path)))));
  }
}

/** @param {{}} _ */
export async function closeStreams(_) {
  for (const { close } of streams.splice(0)) close();
}

/**
 * Sends messages one after the other, each when the one before has reached every stream.
 *
 * @param {{ port: number, count: number }} options of the process that takes them
 * @returns {Promise<number[]>} milliseconds from each answer until the last stream told of the change
 */
export async function announce({ port, count }) {
  const delays = [];
  while (delays.length < count) {
    const arrived = Promise.all(streams.map(({ nextChange }) => nextChange())).then(() => performance.now());
    await mutate(port, "messages.sendMessage", { author: "bench", body: "A change" });
    const answered = performance.now();
    delays.push(Math.max(0, (await arrived) - answered));
  }
  return delays;
}

/** @param {number} port @param {string} path @returns {Promise<Stream>} */
function open(port, path) {
  return new Promise((resolve, reject) => {
    /** @type {() => void} */
    let onChange = () => undefined;
    let fail = reject;
    let closing = false;
    const socket = connect({ port, host: "127.0.0.1" }).setEncoding("latin1");
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
    socket.on("error", () => undefined); // "close" follows
    socket.on("close", () => closing || fail(new Error(`${path} ended a stream`)));
    socket.on("data", (/** @type {string} */ events) => {
      if (events.includes('"messages"')) onChange();
      if (events.includes("\nid: ")) resolve({ close, nextChange });
    });
    const close = () => {
      closing = true;
      socket.destroy();
    };
    const nextChange = () =>
      new Promise((/** @type {(value: void) => void} */ heard, lost) => {
        onChange = heard;
        fail = lost;
      });
  });
}

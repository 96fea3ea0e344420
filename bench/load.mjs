import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** @typedef {{ seconds: number, status: number, received: number, text: string }} Transfer */

/**
 * Starts the load generator. Its methods are the functions of load-process.mjs and streams.mjs, which say what they do.
 */
export function startLoad() {
  const child = fork(fileURLToPath(new URL("load-process.mjs", import.meta.url)), { serialization: "advanced" });
  /** @type {Map<number, { resolve: (result: unknown) => void, reject: (error: Error) => void }>} */
  const waiting = new Map();
  let lastId = 0;
  child.on("message", (/** @type {{ id: number, result?: unknown, error?: string }} */ { id, result, error }) => {
    if (error) waiting.get(id)?.reject(new Error(error));
    else waiting.get(id)?.resolve(result);
    waiting.delete(id);
  });
  child.on("exit", (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`The load generator ended with ${code}`));
  });

  /** @param {string} name */
  const command = (name) => (/** @type {object} */ options) =>
    new Promise((resolve, reject) => {
      waiting.set(++lastId, { resolve, reject });
      child.send({ id: lastId, name, options });
    });

  /** @type {(options: { port: number, method?: string, path: string, headers?: Record<string, string>, size?: number }) => Promise<Transfer>} */
  const transfer = command("transfer");
  return {
    /**
     * One transfer that must succeed.
     *
     * @param {Parameters<typeof transfer>[0]} options
     */
    async transfer(options) {
      const result = await transfer(options);
      if (result.status >= 200 && result.status < 300) return result;
      throw new Error(`${options.method ?? "GET"} ${options.path} answered ${result.status}: ${result.text}`);
    },
    /** @type {(options: { port: number, concurrency: number, calls: import("./load-process.mjs").Call[] }) => Promise<number>} */
    repeat: command("repeat"),
    /** @type {(options: { port: number, concurrency: number, count: number, size: number }) => Promise<number>} */
    uploadFlow: command("uploadFlow"),
    /** @type {typeof import("./streams.mjs").openStreams} */
    openStreams: command("openStreams"),
    /** @type {typeof import("./streams.mjs").closeStreams} */
    closeStreams: command("closeStreams"),
    /** @type {typeof import("./streams.mjs").announce} */
    announce: command("announce"),
    stop: () => void child.disconnect(),
  };
}

/** @typedef {ReturnType<typeof startLoad>} Load */

import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { SourceMap } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { filePath, mutate, queryPath, uploadFile, uploadPath } from "../app.mjs";

/** Microseconds between two samples, in profile.mjs. */
const interval = 200;
const count = 200;
const concurrency = 4;
const size = 20_000;

/**
 * Steps of a request, by where the code is that runs: the innermost frame that one of these knows decides. Frames of Node
 * itself belong to whoever called them.
 *
 * @type {[step: string, source: RegExp][]}
 */
const steps = [
  ["log and trace", /src\/kit\/log\/|@opentelemetry|AsyncLocalStorage/],
  ["rate limit", /rate-limit|src\/kit\/process\/places/],
  ["identity", /src\/kit\/auth\/|better-auth|better-call|\/jose\//],
  ["transaction", /src\/kit\/database\/(transaction|connections|database)/],
  ["live", /src\/kit\/live\//],
  ["PostgreSQL driver", /node_modules\/pg(-[a-z]+)?\/|postgres-(array|bytea|date|interval)/],
  ["Prisma", /prisma|src\/kit\/database\/db/],
  ["serialise", /superjson|copy-anything|is-what|functions\/(transformer|document)/],
  ["decode", /functions\/args|\/zod\/|http\/(body|read-json)/],
  ["storage", /src\/kit\/storage\//],
  ["app's functions", /src\/functions\/|src\/kit\/functions\/(builders|context|server-function|request-context)/],
  ["tRPC", /@trpc\/|src\/kit\/functions\/router/],
  ["kit's HTTP", /src\/kit\/http\//],
  ["framework", /next\/dist|next-server|node_modules\/next|\.next\/|react/],
];

/**
 * Where the processor's time of each kind of request goes.
 *
 * @param {import("../bench.mjs").Bench} bench
 */
export async function account({ load, newApp }) {
  const folder = await mkdtemp(join(tmpdir(), "account-"));
  const profile = join(folder, "profile.json");
  const settings = {
    NODE_OPTIONS: `--import=${fileURLToPath(new URL("../profile.mjs", import.meta.url))}`,
    BENCH_PROFILE: profile,
    RATE_LIMIT_MESSAGES: "1000000",
  };
  const app = await newApp({ settings });
  const { port } = app;
  const headers = { "Content-Type": "application/json" };
  /** @param {string} name @param {object} args */
  const call = (name, args) => ({
    method: "POST",
    path: `/api/trpc/${name}`,
    headers,
    body: JSON.stringify({ json: args }),
  });
  for (let index = 0; index < 60; index++) {
    await mutate(port, "messages.sendMessage", {
      author: "bench",
      body: "A text of a few words, as people write them",
    });
  }
  const storageId = await uploadFile(load, port, size);
  const file = await filePath(port, storageId);
  /** @param {(index: number) => Promise<import("../load-process.mjs").Call>} make */
  const each = async (make) => {
    /** @type {import("../load-process.mjs").Call[]} */
    const calls = [];
    while (calls.length < count) {
      calls.push(...(await Promise.all(Array.from({ length: 20 }, (_, index) => make(calls.length + index)))));
    }
    return calls;
  };
  const upload = { method: "POST", headers: { "Content-Type": "image/png" }, body: new Uint8Array(size) };
  /** @type {Record<string, () => Promise<import("../load-process.mjs").Call[]>>} */
  const kinds = {
    mint: () => each(async () => call("files.generateUploadUrl", {})),
    post: () => each(async () => ({ ...upload, path: await uploadPath(port) })),
    save: () =>
      each(async () => call("files.saveFile", { storageId: await uploadFile(load, port, size), name: "a.png" })),
    send: () => each(async () => call("messages.sendMessage", { author: "bench", body: "A text of a few words" })),
    list: () => each(async () => ({ path: queryPath("messages.list") })),
    getUrl: () => each(async () => ({ path: queryPath("files.getUrl", { storageId }) })),
    "file GET": () => each(async () => ({ path: file })),
    "HTTP action": () => each(async () => ({ path: "/http/getMessagesByAuthor?author=bench" })),
  };
  const results = [];
  try {
    for (const [name, make] of Object.entries(kinds)) {
      await load.repeat({ port, concurrency, calls: await make() });
      const calls = await make();
      process.kill(app.pid, "SIGUSR2");
      await sleep(300);
      await load.repeat({ port, concurrency, calls });
      process.kill(app.pid, "SIGUSR2");
      while (!existsSync(profile)) await sleep(50);
      await sleep(200);
      const times = await byStep(JSON.parse(await readFile(profile, "utf8")));
      await rm(profile);
      const rows = [...times]
        .sort(([, a], [, b]) => b - a)
        .map(([step, time]) => ({ name: step, figure: time / count }));
      rows.unshift({ name: "all", figure: rows.reduce((sum, { figure }) => sum + figure, 0) });
      results.push({ title: `Processor time of one ${name}`, unit: "µs", rows });
    }
  } finally {
    await app.stop();
    await rm(folder, { recursive: true, force: true });
  }
  return results;
}

/**
 * @typedef {{ id: number, callFrame: { functionName: string, url: string, lineNumber: number, columnNumber: number }, children?: number[] }} Node
 *
 * @param {{ nodes: Node[], samples: number[], timeDeltas: number[] }} profile
 * @returns {Promise<Map<string, number>>} microseconds by step
 */
async function byStep({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  /** @type {Map<number, string>} */
  const stepOf = new Map();
  /** @param {Node} node @param {string} inherited */
  const visit = async (node, inherited) => {
    const { functionName, url } = node.callFrame;
    let step = inherited;
    if (functionName === "(garbage collector)") step = "garbage collection";
    else if (functionName === "(idle)") step = "idle";
    else {
      const source = await sourceOf(node.callFrame);
      if (!url.startsWith("node:") && url !== "")
        step = steps.find(([, pattern]) => pattern.test(source))?.[0] ?? inherited;
    }
    stepOf.set(node.id, step);
    for (const child of node.children ?? []) {
      const next = byId.get(child);
      if (next) await visit(next, step);
    }
  };
  if (nodes[0]) await visit(nodes[0], "Node");
  /** @type {Map<string, number>} */
  const times = new Map();
  for (const [index, id] of samples.entries()) {
    const step = stepOf.get(id) ?? "Node";
    // A longer one is a time in which another process ran.
    const time = Math.min(timeDeltas[index] ?? 0, 2 * interval);
    if (step !== "idle") times.set(step, (times.get(step) ?? 0) + time);
  }
  return times;
}

/** @type {Map<string, SourceMap | null>} */
const maps = new Map();

/** The file that a frame was written in. @param {Node["callFrame"]} frame */
async function sourceOf({ url, lineNumber, columnNumber }) {
  if (!maps.has(url)) {
    const path = url.startsWith("file:") ? fileURLToPath(url) : url;
    const text = await readFile(`${path}.map`, "utf8").catch(() => null);
    maps.set(url, text === null ? null : new SourceMap(JSON.parse(text)));
  }
  const entry = maps.get(url)?.findEntry(lineNumber, columnNumber);
  return entry && "originalSource" in entry ? entry.originalSource : url;
}

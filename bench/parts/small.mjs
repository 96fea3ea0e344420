import { mutate, queryPath } from "../app.mjs";
import { compare } from "../report.mjs";

const size = 20_000;
const concurrency = 16;

/** @param {import("../bench.mjs").Bench} bench */
export async function gets({ load, app, baseline, rawNode, nginx, storeFile }) {
  const path = await storeFile("small", size);
  const count = 3000;
  /** @param {{ port: number }} server @param {string} path */
  const get =
    ({ port }, path) =>
    async () => {
      const calls = Array.from({ length: count }, () => ({ path }));
      return count / (await load.repeat({ port, concurrency, calls }));
    };
  const [ours, bare, raw, proxy] = [await app(), await baseline(), await rawNode(), await nginx()];
  const ofBare = { pid: bare.pid, count };
  const contenders = [
    { name: "the app: signature, row, file", measure: get(ours, path), pid: ours.pid, count },
    { name: "App Router handler, one readFile", measure: get(bare, "/small?name=small"), ...ofBare },
    { name: "App Router handler, streamed", measure: get(bare, "/file?name=small"), ...ofBare },
    { name: "pages/api handler, one readFile", measure: get(bare, "/api/file?small=small"), ...ofBare, target: 1 },
    { name: "raw Node, one readFile", measure: get(raw, "/?small=small"), pid: raw.pid, count },
    ...(proxy ? [{ name: "nginx", measure: get(proxy, "/small") }] : []),
  ];
  return [await compare({ title: "GET of 20 KB, 16 at once", unit: "req/s", rounds: 7, contenders })];
}

/** @param {import("../bench.mjs").Bench} bench */
export async function uploads({ load, app, baseline, rawNode }) {
  const count = 500;
  const { port, pid } = await app();
  const flow = async () => count / (await load.uploadFlow({ port, concurrency, count, size }));
  /** @param {{ port: number }} server @param {string} path */
  const post =
    ({ port }, path) =>
    async () => {
      const call = {
        method: "POST",
        headers: { "Content-Type": "image/png" },
        body: new Uint8Array(size),
      };
      const calls = Array.from({ length: count }, (_, index) => ({ ...call, path: `${path}-${index}` }));
      return count / (await load.repeat({ port, concurrency, calls }));
    };
  const [bare, raw] = [await baseline(), await rawNode()];
  const ofBare = { pid: bare.pid, count };
  const contenders = [
    { name: "the app: URL, upload, saveFile with its URL", measure: flow, pid, count },
    { name: "App Router handler: one POST, fsynced", measure: post(bare, "/file?name=upload"), ...ofBare, target: 0.9 },
    { name: "pages/api handler: one POST, fsynced", measure: post(bare, "/api/file?name=upload"), ...ofBare },
    { name: "raw Node: one POST, fsynced", measure: post(raw, "/?name=upload"), pid: raw.pid, count },
  ];
  return [await compare({ title: "Uploads of 20 KB, 16 at once", unit: "files/s", rounds: 5, contenders })];
}

/** @param {import("../bench.mjs").Bench} bench */
export async function list({ load, newApp, newBaseline }) {
  const app = await newApp({ settings: { RATE_LIMIT_MESSAGES: "1000000" } });
  const bare = await newBaseline(app.databaseUrl);
  const message = { author: "bench", body: "A text of a few words, as people write them" };
  for (let sent = 0; sent < 60; sent++) await mutate(app.port, "messages.sendMessage", message);
  const count = 1000;
  /** @param {{ port: number }} server @param {string} path */
  const get =
    ({ port }, path) =>
    async () => {
      const calls = Array.from({ length: count }, () => ({ path }));
      return count / (await load.repeat({ port, concurrency, calls }));
    };
  const contenders = [
    { name: "the app: messages.list", measure: get(app, queryPath("messages.list")), pid: app.pid, count },
    { name: "App Router handler: the same SQL", measure: get(bare, "/list"), pid: bare.pid, count, target: 0.9 },
  ];
  const result = await compare({ title: "List of 50 messages, 16 at once", unit: "req/s", rounds: 7, contenders });
  await Promise.all([app.stop(), bare.stop()]);
  return [result];
}

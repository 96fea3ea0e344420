import { uploadPath } from "../app.mjs";
import { compare, median } from "../report.mjs";
import { memoryOf, processorTimeOf, usageIsKnown } from "../usage.mjs";

const size = 2 ** 30;
const parallel = 8;
const toMB = (/** @type {number} */ seconds) => size / 1e6 / seconds;

/** @param {import("../bench.mjs").Bench} bench */
export async function download({ load, app, baseline, rawNode, nginx, storeFile }) {
  const path = await storeFile("large", size);
  /** @param {{ port: number }} server @param {string} path */
  const get = (server, path) => async () => {
    const { seconds, received } = await load.transfer({ port: server.port, path });
    if (received < size) throw new Error(`${path} sent ${received} of ${size} bytes`);
    return toMB(seconds);
  };
  const [ours, bare, raw, proxy] = [await app(), await baseline(), await rawNode(), await nginx()];
  const contenders = [
    { name: "the app", measure: get(ours, path) },
    ...(proxy ? [{ name: "nginx, sendfile", measure: get(proxy, "/large"), target: 0.9 }] : []),
    { name: "App Router handler, 256 KiB pulls", measure: get(bare, "/file?name=large") },
    { name: "pages/api handler, 256 KiB pieces", measure: get(bare, "/api/file?name=large") },
    { name: "raw Node, 256 KiB pieces", measure: get(raw, "/?name=large") },
  ];
  return [await compare({ title: "Download of 1 GiB", unit: "MB/s", rounds: 7, contenders })];
}

/** @param {import("../bench.mjs").Bench} bench */
export async function ranges({ load, app, nginx, storeFile }) {
  const path = await storeFile("large", size);
  /** @param {{ port: number }} server @param {string} path */
  const get =
    ({ port }, path) =>
    async () => {
      const part = size / parallel;
      const transfers = Array.from({ length: parallel }, (_, index) => {
        const headers = { Range: `bytes=${index * part}-${(index + 1) * part - 1}` };
        return load.transfer({ port, path, headers });
      });
      return toMB(Math.max(...(await Promise.all(transfers)).map(({ seconds }) => seconds)));
    };
  const [ours, proxy] = [await app(), await nginx()];
  const contenders = [
    { name: "the app", measure: get(ours, path) },
    ...(proxy ? [{ name: "nginx, sendfile", measure: get(proxy, "/large"), target: 1 }] : []),
  ];
  return [await compare({ title: "1 GiB as 8 parallel ranges", unit: "MB/s", rounds: 7, contenders })];
}

/** @param {import("../bench.mjs").Bench} bench */
export async function upload({ load, app, baseline, rawNode, clear }) {
  /** @param {{ port: number }} server @param {(port: number) => Promise<string> | string} path */
  const post =
    ({ port }, path) =>
    async () => {
      await clear();
      const { seconds } = await load.transfer({ port, method: "POST", path: await path(port), size });
      return toMB(seconds);
    };
  const [ours, bare, raw] = [await app(), await baseline(), await rawNode()];
  const contenders = [
    { name: "the app: hashed, fsynced, with its row", measure: post(ours, uploadPath) },
    { name: "App Router handler: fsynced", measure: post(bare, () => "/file?name=upload") },
    { name: "pages/api handler: fsynced", measure: post(bare, () => "/api/file?name=upload") },
    { name: "raw Node: fsynced", measure: post(raw, () => "/?name=upload"), target: 0.9 },
  ];
  return [await compare({ title: "Upload of 1 GiB", unit: "MB/s", rounds: 7, contenders })];
}

const chunkBytes = 64 * 2 ** 20;

/**
 * A file in one request, and in chunks with tus as the browser sends it. Processor time tells more than speed where the machine
 * does other things, too.
 *
 * @param {import("../bench.mjs").Bench} bench
 */
export async function chunks({ load, app, clear }) {
  const { port, pid } = await app();
  const inChunks = async () => {
    const path = await uploadPath(port);
    const version = { "Tus-Resumable": "1.0.0" };
    await load.transfer({ port, method: "POST", path, headers: { ...version, "Upload-Length": String(size) } });
    for (let offset = 0; offset < size; offset += chunkBytes) {
      const type = "application/offset+octet-stream";
      const headers = { ...version, "Upload-Offset": String(offset), "Content-Type": type };
      await load.transfer({ port, method: "PATCH", path, headers, size: chunkBytes });
    }
  };
  const whole = async () => load.transfer({ port, method: "POST", path: await uploadPath(port), size });
  /** @type {Map<string, { processor: number[], memory: number[] }>} */
  const used = new Map();
  const measured = (/** @type {string} */ name, /** @type {() => Promise<unknown>} */ send) => async () => {
    await clear();
    const before = usageIsKnown ? await processorTimeOf(pid) : 0;
    const began = performance.now();
    await send();
    const seconds = (performance.now() - began) / 1000;
    const { processor, memory } = used.get(name) ?? { processor: [], memory: [] };
    if (usageIsKnown) {
      processor.push((await processorTimeOf(pid)) - before);
      memory.push(await memoryOf(pid, "VmRSS"));
    }
    used.set(name, { processor, memory });
    return toMB(seconds);
  };
  const [name, other] = ["the app, in chunks of 64 MiB with tus", "the app, in one POST"];
  const contenders = [
    { name, measure: measured(name, inChunks) },
    { name: other, measure: measured(other, whole), target: 0.9 },
  ];
  const speed = await compare({ title: "Upload of 1 GiB in chunks", unit: "MB/s", rounds: 5, contenders });
  if (!usageIsKnown) return [speed];
  const rowsOf = (/** @type {"processor" | "memory"} */ what) =>
    [name, other].map((each) => ({ name: each, figure: median(used.get(each)?.[what] ?? []) }));
  return [
    speed,
    { title: "Processor time of the server for it", unit: "s", rows: rowsOf("processor") },
    { title: "Memory of the server after it", unit: "MiB", rows: rowsOf("memory") },
  ];
}

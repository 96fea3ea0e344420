import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DATA } from "../scripts/checkout.mjs";
import { createDatabase, startTestPostgres } from "../scripts/test-postgres.mjs";
import { filePath, uploadFile } from "./app.mjs";
import { startLoad } from "./load.mjs";
import { startApp, startBaseline, startNginx, startRawNode } from "./servers.mjs";

/** @typedef {import("./servers.mjs").Server & { databaseUrl: string }} App */
/** @typedef {Awaited<ReturnType<typeof openBench>>} Bench */

/** What the parts measure with. Servers start when first asked for; `close` ends them and removes every file. */
export async function openBench() {
  // On the volume where the app keeps its files: a temporary folder may be memory, where fsync costs nothing.
  await mkdir(DATA, { recursive: true });
  const folder = await mkdtemp(join(DATA, "bench-"));
  const shared = join(folder, "shared");
  await mkdir(shared);

  /** @type {(() => unknown)[]} */
  const stops = [() => rm(folder, { recursive: true, force: true })];
  /** @type {<T extends { stop: () => unknown } | null>(started: T) => T} */
  const owned = (started) => {
    if (started) stops.push(started.stop);
    return started;
  };

  const load = owned(startLoad());
  const postgres = once(async () => owned(await startTestPostgres({})));
  const newBaseline = async (/** @type {string} */ databaseUrl = "") => owned(await startBaseline(shared, databaseUrl));
  const baseline = once(() => newBaseline());
  const rawNode = once(async () => owned(await startRawNode(shared)));
  const nginx = once(async () => owned(await startNginx(shared, join(folder, "nginx"))));
  const app = once(() => newApp());

  let apps = 0;
  /**
   * @param {object} [options]
   * @param {string} [options.beside] the database of another app, to be one more process of it
   * @param {Record<string, string>} [options.settings] further variables of its environment
   * @returns {Promise<App>} an app with a blob store of its own, and a database
   */
  async function newApp({ beside, settings } = {}) {
    const databaseUrl = beside ?? (await createDatabase((await postgres()).url)).url;
    return { ...owned(await startApp(databaseUrl, join(folder, `storage-${++apps}`), settings)), databaseUrl };
  }

  /** Removes what was uploaded, everywhere: the next upload finds the same free memory and disk whoever takes it. */
  async function clear() {
    for (const name of await readdir(folder)) {
      if (name.startsWith("storage-")) await rm(join(folder, name), { recursive: true });
    }
    for (const name of await readdir(shared)) await rm(join(shared, name));
  }

  /**
   * Stores a file of `size` bytes in the app, and one beside the baselines under `name`.
   *
   * @param {string} name
   * @param {number} size
   * @returns {Promise<string>} the path at which the app serves it
   */
  async function storeFile(name, size) {
    await load.transfer({ port: (await rawNode()).port, method: "POST", path: `/?name=${name}`, size });
    const { port } = await app();
    return filePath(port, await uploadFile(load, port, size));
  }

  async function close() {
    for (const stop of stops.reverse()) await stop();
  }

  return { load, app, newApp, baseline, newBaseline, rawNode, nginx, storeFile, clear, close };
}

/** @type {<T>(make: () => Promise<T>) => () => Promise<T>} */
function once(make) {
  /** @type {ReturnType<typeof make> | undefined} */
  let made;
  return () => {
    made ??= make();
    return made;
  };
}

import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { filePath, uploadFile } from "../app.mjs";
import { memoryOf, usageIsKnown } from "../usage.mjs";

const MiB = 2 ** 20;

/**
 * How much the server process grows at its peak, over what it takes after ten uploads.
 *
 * @param {import("../bench.mjs").Bench} bench
 */
export async function memory({ load, newApp }) {
  if (!usageIsKnown) {
    console.log("Peak memory is read from /proc, which only Linux has: left out.");
    return [];
  }
  /** @param {{ port: number }} app @param {number} size */
  const upload = ({ port }, size) => uploadFile(load, port, size);
  /** @param {string} name @param {number} limit @param {(app: import("../bench.mjs").App) => Promise<unknown>} work */
  const peak = async (name, limit, work) => {
    const app = await newApp();
    for (let warm = 0; warm < 10; warm++) await upload(app, 20_000);
    const before = await memoryOf(app.pid, "VmRSS");
    await writeFile(`/proc/${app.pid}/clear_refs`, "5"); // starts VmHWM anew
    await work(app);
    const figure = (await memoryOf(app.pid, "VmHWM")) - before;
    await app.stop();
    return { name, figure, target: `< ${limit} MiB`, met: figure < limit };
  };
  const together = (/** @type {() => Promise<unknown>} */ task) => Promise.all(Array.from({ length: 64 }, task));

  const rows = [
    await peak("one upload of 3 GiB", 40, (app) => upload(app, 3072 * MiB)),
    await peak("64 uploads of 32 MiB at once", 192, (app) => together(() => upload(app, 32 * MiB))),
    await peak("one download of 3 GiB", 64, async (app) => {
      await load.transfer({ port: app.port, path: await filePath(app.port, await upload(app, 3072 * MiB)) });
    }),
    await peak("64 downloads of 32 MiB at once", 192, async (app) => {
      const path = await filePath(app.port, await upload(app, 32 * MiB));
      await together(() => load.transfer({ port: app.port, path }));
    }),
  ];
  return [await idle(newApp), { title: "Peak memory of the server, over that after ten uploads", unit: "MiB", rows }];
}

/** Milliseconds after the start, when what it does is done. */
const settled = 15_000;

/** @param {import("../bench.mjs").Bench["newApp"]} newApp */
async function idle(newApp) {
  const app = await newApp();
  await sleep(settled);
  const figure = await memoryOf(app.pid, "VmRSS");
  await app.stop();
  const row = { name: "after the start", figure, target: "<= 140 MiB", met: figure <= 140 };
  return { title: "Memory of an idle server", unit: "MiB", rows: [row] };
}

import { setTimeout as sleep } from "node:timers/promises";
import { compare, median } from "../report.mjs";
import { memoryOf, processorTimeOf, usageIsKnown } from "../usage.mjs";

const changes = 50;
const streams = 1_000;
/** Milliseconds of watching an idle server: every stream is pinged once. */
const idle = 15_000;
const rounds = 3;
const changesPath = "/api/trpc/_kit.changes";

/**
 * How soon changes reach the browsers of another process, and what a thousand open streams cost.
 *
 * @param {import("../bench.mjs").Bench} bench
 */
export async function live(bench) {
  const arrival = await arrivals(bench);
  if (usageIsKnown) return [arrival, ...(await crowd(bench))];
  console.log("What streams cost is read from /proc, which only Linux has: left out.");
  return [arrival];
}

/** @param {import("../bench.mjs").Bench} bench */
async function arrivals({ load, newApp }) {
  const one = await newApp();
  const other = await newApp({ beside: one.databaseUrl });
  await load.openStreams({ port: other.port, path: changesPath, count: 1 });
  await load.announce({ port: one.port, count: 5 });
  const delays = (await load.announce({ port: one.port, count: changes })).toSorted((a, b) => a - b);
  await load.closeStreams({});
  await Promise.all([one.stop(), other.stop()]);
  const p95 = delays[Math.ceil(changes * 0.95) - 1] ?? Number.POSITIVE_INFINITY;
  return {
    title: `${changes} changes, from the answer of one process to a stream of another`,
    unit: "ms",
    rows: [
      { name: "p95", figure: p95, target: "< 300 ms", met: p95 < 300 },
      { name: "median", figure: median(delays) },
    ],
  };
}

/** @param {import("../bench.mjs").Bench} bench */
async function crowd({ load, newApp, newBaseline }) {
  /** Per cent of a core, milliseconds. */
  const figures = {
    app: /** @type {number[]} */ ([]),
    bare: /** @type {number[]} */ ([]),
    reach: /** @type {number[]} */ ([]),
  };
  /**
   * @param {import("../servers.mjs").Server} server a new one: memory that was used once is not given back
   * @param {string} path
   * @param {number[]} usage
   */
  const open = async ({ port, pid }, path, usage) => {
    await load.openStreams({ port, path, count: 200 });
    await load.closeStreams({});
    const before = await memoryOf(pid, "VmRSS");
    await load.openStreams({ port, path, count: streams });
    const busy = await processorTimeOf(pid);
    await sleep(idle);
    usage.push(((await processorTimeOf(pid)) - busy) / (idle / 100_000));
    return (1024 * ((await memoryOf(pid, "VmRSS")) - before)) / streams;
  };
  const memory = await compare({
    title: `Memory of an open stream, of ${streams}`,
    unit: "KiB",
    lessIsBetter: true,
    rounds,
    contenders: [
      {
        name: "the app",
        async measure() {
          const app = await newApp();
          const figure = await open(app, changesPath, figures.app);
          figures.reach.push(...(await load.announce({ port: app.port, count: 5 })));
          await load.closeStreams({});
          await app.stop();
          return figure;
        },
      },
      {
        name: "App Router handler, bare stream",
        target: 1.5,
        async measure() {
          const bare = await newBaseline();
          const figure = await open(bare, "/events", figures.bare);
          await load.closeStreams({});
          await bare.stop();
          return figure;
        },
      },
    ],
  });
  const usage = median(figures.app);
  const slowest = Math.max(...figures.reach);
  return [
    memory,
    {
      title: `Processor use of ${streams} open streams while nothing changes`,
      unit: "% of a core",
      rows: [
        { name: "the app", figure: usage, target: "< 3 %", met: usage < 3 },
        { name: "App Router handler, bare stream", figure: median(figures.bare) },
      ],
    },
    {
      title: `One change, from the answer to the last of ${streams} streams of the process`,
      unit: "ms",
      rows: [
        { name: "slowest", figure: slowest, target: "< 2000 ms", met: slowest < 2000 },
        { name: "median", figure: median(figures.reach) },
      ],
    },
  ];
}

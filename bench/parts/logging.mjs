import { queryPath } from "../app.mjs";
import { median } from "../report.mjs";

const pairs = 20;
const count = 2000;
const concurrency = 16;
/** Of 20 sorted figures these two hold the median of all there could be between them, in 95.9 % of cases. */
const [lower, upper] = [5, 14];

/**
 * What the log of calls costs: the same cheap query on an app that keeps it and on one that does not, by turns.
 *
 * @param {import("../bench.mjs").Bench} bench
 * @returns {Promise<import("../report.mjs").Result[]>}
 */
export async function logging({ load, newApp }) {
  const apps = [await newApp(), await newApp({ settings: { CALL_LOG_ROWS: "0" } })];
  const calls = Array.from({ length: count }, () => ({ path: queryPath("messages.list") }));
  /** @param {number} index */
  const measure = async (index) => count / (await load.repeat({ port: apps[index]?.port ?? 0, concurrency, calls }));
  for (const index of [0, 1]) await measure(index);
  /** @type {[number[], number[]]} requests a second, with the log and without */
  const figures = [[], []];
  for (let pair = 0; pair < pairs; pair++) {
    // Each is first in half of them.
    for (const index of pair % 2 === 0 ? [0, 1] : [1, 0]) figures[index]?.push(await measure(index));
  }
  const [logged, bare] = figures;
  const costs = logged.map((figure, pair) => 100 * (1 - figure / (bare[pair] ?? 0))).toSorted((a, b) => a - b);
  const cost = median(costs);
  return [
    {
      title: `${queryPath("messages.list").split("?")[0]}, ${concurrency} at once`,
      unit: "req/s",
      rows: [
        { name: "with the log of calls", figure: median(logged) },
        { name: "without it", figure: median(bare) },
      ],
    },
    {
      title: `Cost of the log of calls, ${pairs} pairs`,
      unit: "%",
      rows: [
        { name: "median", figure: cost, target: "< 5 %", met: cost < 5 },
        { name: "interval of 95 %, from", figure: costs[lower] ?? 0 },
        { name: "interval of 95 %, to", figure: costs[upper] ?? 0 },
      ],
    },
  ];
}

import { processorTimeOf, usageIsKnown } from "./usage.mjs";

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {() => Promise<number>} measure the figure of one round
 * @property {number} [target] ours ÷ this one's figure, at least (or at most, where less is better)
 * @property {number} [pid] of a server, whose processor time for one of `count` requests is shown too
 * @property {number} [count] requests of one round
 */

/**
 * @typedef {object} Comparison
 * @property {string} title
 * @property {string} unit
 * @property {boolean} [lessIsBetter]
 * @property {number} rounds
 * @property {Contender[]} contenders the app first
 */

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {number} figure
 * @property {number} [ratio] ours ÷ this
 * @property {number} [processorMs] milliseconds of processor time for one request
 * @property {string} [target]
 * @property {boolean} [met]
 */

/** @typedef {{ title: string, unit: string, rows: Row[] }} Result */

/**
 * Measures the contenders in turns, so that what else the machine does meets all of them. Figures are medians; a ratio
 * is the median of the rounds' ratios.
 *
 * @param {Comparison} comparison
 * @returns {Promise<Result>}
 */
export async function compare({ title, unit, lessIsBetter = false, rounds, contenders }) {
  /** @type {number[][]} */
  const figures = contenders.map(() => []);
  /** @type {number[][]} */
  const times = contenders.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, { measure, pid, count = 1 }] of contenders.entries()) {
      const before = pid && usageIsKnown ? await processorTimeOf(pid) : 0;
      figures[index]?.push(await measure());
      if (pid && usageIsKnown) times[index]?.push(((await processorTimeOf(pid)) - before) * (1000 / count));
    }
  }
  const ours = figures[0] ?? [];
  const rows = contenders.map(({ name, target }, index) => {
    const theirs = figures[index] ?? [];
    const spent = times[index] ?? [];
    const row = { name, figure: median(theirs), ...(spent.length > 0 && { processorMs: median(spent) }) };
    if (index === 0) return row;
    const ratio = median(theirs.map((figure, round) => (ours[round] ?? 0) / figure));
    if (target === undefined) return { ...row, ratio };
    const met = lessIsBetter ? ratio <= target : ratio >= target;
    return { ...row, ratio, target: `${lessIsBetter ? "≤" : "≥"} ${target} ×`, met };
  });
  return { title, unit, rows };
}

/** @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle) - 1] ?? 0)) / 2;
}

/** @param {Result} result */
export function print({ title, unit, rows }) {
  console.log(`\n${title} (${unit})`);
  for (const { name, figure, ratio, processorMs, target = "", met } of rows) {
    const number = figure >= 100 ? figure.toFixed(0) : figure.toPrecision(3);
    const times = ratio === undefined ? "" : `${ratio.toFixed(2)} ×`;
    const verdict = met === undefined ? "" : met ? "met" : "MISSED";
    const spent = processorMs === undefined ? "" : `${processorMs.toFixed(2)} ms`;
    console.log(
      `  ${name.padEnd(44)}${number.padStart(8)}${times.padStart(10)}${spent.padStart(10)}   ${target.padEnd(10)} ${verdict}`.trimEnd(),
    );
  }
}

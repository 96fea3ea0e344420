import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { startFleet } from "./fleet";
import { misdeeds } from "./functions";
import { createRandom } from "./random";
import { report, reporting, scale } from "./scale";
import { type BundledServer, bundleServer } from "./server-process";

const { seed, mixedJobs, mixedSeconds, mixedKills, waitsForLeases } = scale;
/** Milliseconds that a query, a mutation or an action may take here. */
const timeLimit = "2000";
/** Milliseconds after which no good job begins. */
const latest = 10_000;

let server: BundledServer;

beforeAll(async () => {
  server = await bundleServer();
}, 60_000);

afterAll(() => server.remove());

test(
  "a fifth of the jobs throw, hang, overrun or print garbage, while servers are killed: every good one once, and in time",
  async () => {
    report(`Runs ${mixedJobs} jobs over ${mixedSeconds} s, seed ${seed}`);
    const random = createRandom(seed);
    const settings = { TRANSACTION_TIMEOUT: timeLimit, ACTION_TIMEOUT: timeLimit };
    // Each server is killed by the first request for its origin.
    const fleet = startFleet({ ...server, size: 3, random, lifetime: 1, settings });
    await pause(3_000);
    const from = Date.now() + 2_000;
    const data = Array.from({ length: mixedJobs }, (_, n) => {
      const how = random.pick(misdeeds as [string, ...string[]]);
      const isBad = n % 5 === 0;
      return {
        name: isBad ? random.pick(["crash.badMutation", "crash.badAction"]) : "crash.good",
        args: { json: isBad ? { how } : { n } },
        scheduledTime: new Date(from + (n * mixedSeconds * 1000) / mixedJobs),
      };
    });
    await prisma.scheduledFunction.createMany({ data });

    const pending = () =>
      prisma.scheduledFunction.count({
        where: {
          ...(waitsForLeases ? { cron: null } : { name: "crash.good" }),
          state: { in: ["pending", "inProgress"] },
        },
      });
    const kill = async () => {
      for (let kills = 0; kills < mixedKills; kills++) {
        await pause(
          2_000 + (mixedSeconds * 1000) / mixedKills / 2 + random.below((mixedSeconds * 1000) / mixedKills / 2),
        );
        await fleet.origin();
      }
    };
    const work = async () => {
      // An action whose server was killed ends with its lease, a minute later.
      const deadline = from + mixedSeconds * 1000 + 120_000;
      while ((await pending()) > 0 && Date.now() < deadline) await pause(500);
    };
    await reporting(() => `${fleet.kills()} kills`, Promise.all([kill(), work()]));
    const jobs = await prisma.scheduledFunction.findMany({ where: { name: "crash.good" } });
    const rows = await prisma.message.findMany({ where: { author: { startsWith: "good " } } });
    const times = new Map<string, number[]>();
    for (const { author, body } of rows) times.set(author, [...(times.get(author) ?? []), Number(body)]);
    const begun = jobs.map(({ args, scheduledTime }) => {
      const { n } = (args as { json: { n: number } }).json;
      return { n, begins: times.get(`good ${n}`) ?? [], due: scheduledTime.getTime() };
    });
    const lateness = begun.flatMap(({ begins, due }) => begins.map((time) => time - due)).sort((a, b) => a - b);
    report(
      `${jobs.length} good jobs, the latest ${lateness.at(-1)} ms after its time, half within ${lateness[lateness.length >> 1]} ms`,
    );
    expect({
      notOnce: begun.filter(({ begins }) => begins.length !== 1),
      tooLate: lateness.filter((milliseconds) => milliseconds > latest),
      notSucceeded: jobs.filter(({ state }) => state !== "success").length,
      badWrites: await prisma.message.count({ where: { author: "bad" } }),
      unended: await pending(),
    }).toEqual({ notOnce: [], tooLate: [], notSucceeded: 0, badWrites: 0, unended: 0 });
    await fleet.stop();
    expect(fleet.failures).toEqual([]);
  },
  scale.limit,
);

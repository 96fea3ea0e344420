import { afterAll, beforeAll, expect, test } from "vitest";
import { startFleet } from "./fleet";
import { createCalls, endLeases, examineJobs, scheduleJobs, sound, untilFewerJobsThan } from "./jobs";
import { jobSteps, pointsAround } from "./points";
import { createRandom } from "./random";
import { report, reporting, scale } from "./scale";
import { type BundledServer, bundleServer } from "./server-process";

const { seed, jobs, jobKills } = scale;
let server: BundledServer;

beforeAll(async () => {
  server = await bundleServer();
}, 60_000);

afterAll(() => server.remove());

test(
  "jobs over three servers killed while they run them: each mutation once, each action at most once",
  async () => {
    report(`Kills servers that run jobs, seed ${seed}`);
    const random = createRandom(seed);
    const points = pointsAround(jobSteps, jobKills);
    const fleet = startFleet({ ...server, size: 3, random, points });
    const calls = createCalls();
    const isEnough = () => calls.answered.length * 10 >= jobs && fleet.kills() >= jobKills;
    const load = scheduleJobs(calls, fleet, () => isEnough() || fleet.failures.length > 0);
    await reporting(() => `${fleet.kills()} kills, ${calls.answered.length * 10} mutations scheduled`, load);
    await fleet.stop();
    expect(fleet.failures).toEqual([]);

    await endLeases();
    const last = startFleet({ ...server, size: 1, random });
    await untilFewerJobsThan(1);
    expect(await examineJobs(calls)).toEqual(sound);
    await last.stop();
  },
  scale.limit,
);

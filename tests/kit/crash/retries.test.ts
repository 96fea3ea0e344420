import { afterAll, beforeAll, expect, test } from "vitest";
import { startFleet } from "./fleet";
import { createCalls, endLeases, examineRetried, scheduleJobs, soundRetries, untilFewerJobsThan } from "./jobs";
import { pointsAround, retrySteps } from "./points";
import { createRandom } from "./random";
import { report, reporting, scale } from "./scale";
import { type BundledServer, bundleServer } from "./server-process";

const { seed, retriedJobs, retryKills, retryPoints, retryLifetime } = scale;
/** Jobs that each call schedules. */
const perCall = 20;
let server: BundledServer;

beforeAll(async () => {
  server = await bundleServer();
}, 60_000);

afterAll(() => server.remove());

test(
  "jobs that are tried again, over three servers killed meanwhile: each mutation and each onComplete once, each action until it succeeds",
  async () => {
    report(`Kills servers that retry jobs, seed ${seed}`);
    const random = createRandom(seed);
    const points = pointsAround(random.shuffle(retrySteps), retryPoints);
    const fleet = startFleet({ ...server, size: 3, random, points, lifetime: retryLifetime });
    const calls = createCalls();
    const scheduled = () => calls.answered.length * perCall;
    const isEnough = () => scheduled() >= retriedJobs && fleet.kills() >= retryKills;
    // An action whose server was killed waits a minute for its next attempt.
    const options = { fn: "crash.scheduleRetried", waiting: 300 };
    const load = scheduleJobs(calls, fleet, () => isEnough() || fleet.failures.length > 0, options);
    await reporting(() => `${fleet.kills()} kills, ${scheduled()} jobs scheduled`, load);
    await fleet.stop();
    expect(fleet.failures).toEqual([]);

    await endLeases();
    const last = startFleet({ ...server, size: 1, random });
    await untilFewerJobsThan(1);
    expect(await examineRetried(calls)).toEqual(soundRetries);
    await last.stop();
  },
  scale.limit,
);

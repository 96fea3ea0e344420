// This import comes first, because it sets what the others read.
import "./postgres";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serveChanges } from "~/kit/live/serve-changes";
import { withClient } from "../../../scripts/database.mjs";
import { createCrowd, describeCrowd, runCrowd } from "./crowd";
import { examine, sound } from "./examine";
import { startFleet } from "./fleet";
import { type Issuer, startIssuer } from "./issuer";
import { createCalls, endLeases, examineJobs, scheduleJobs, sound as soundJobs, untilFewerJobsThan } from "./jobs";
import { crashPostgres, removePostgres } from "./postgres";
import { createRandom } from "./random";
import { report, reporting, scale } from "./scale";
import { type BundledServer, bundleServer } from "./server-process";

const { seed, databaseKills, databaseFiles } = scale;
let server: BundledServer;
let issuer: Issuer;

beforeAll(async () => {
  [server, issuer] = await Promise.all([bundleServer(), startIssuer()]);
}, 60_000);

afterAll(async () => {
  await server.remove();
  issuer.stop();
  await removePostgres();
});

test(
  "PostgreSQL killed under load: what was answered survives, and the server goes on without a restart",
  async () => {
    report(`Kills PostgreSQL under load, seed ${seed}`);
    const random = createRandom(seed);
    const fleet = startFleet({ ...server, settings: issuer.settings, size: 1, random });
    const crowd = createCrowd();
    const calls = createCalls();
    let crashes = 0;
    const crashAgainAndAgain = async () => {
      for (; crashes < databaseKills; crashes++) {
        await pause(500 + random.below(500));
        await crashPostgres();
      }
    };
    const until = () => crowd.files.length >= databaseFiles && crashes === databaseKills;
    const load = runCrowd(crowd, { fleet, issuer, seed, clients: 8, maxSize: 1024 * 1024, until });
    const work = Promise.all([load, scheduleJobs(calls, fleet, until), crashAgainAndAgain()]);
    await reporting(() => `${crashes} kills, ${describeCrowd(crowd)}`, work);
    expect(await examine(crowd, fleet)).toEqual(sound);
    await fleet.stop();
    expect(fleet.failures).toEqual([]);

    await endLeases();
    const last = startFleet({ ...server, size: 1, random });
    await untilFewerJobsThan(1);
    expect(await examineJobs(calls)).toEqual(soundJobs);
    await last.stop();
  },
  scale.limit,
);

test("PostgreSQL killed under an open stream of changes: it goes on, and tells that anything may have been missed", async () => {
  const next = eventsOf(serveChanges(new Request("http://app.test/api/trpc/_kit.changes")));
  const anything = '{"json":null}';
  expect(await next()).toBe(anything);
  await crashPostgres();
  expect(await next()).toBe(anything);
  await withClient(process.env.DATABASE_URL ?? "", (client) => client.query("TRUNCATE images"));
  let told = await next();
  while (told === anything) told = await next();
  expect(told).toBe('{"json":["images"]}');
});

/** Reads the data of the next event, pings left out. */
function eventsOf(response: Response): () => Promise<string> {
  const reader = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
  const waiting: string[] = [];
  return async () => {
    while (waiting.length === 0) {
      const { done, value } = await reader.read();
      if (done) throw new Error("The stream ended");
      const events = value.split("\n\n").filter((event) => !event.startsWith("event: "));
      waiting.push(...events.flatMap((event) => /^data: (.+)$/m.exec(event)?.[1] ?? []));
    }
    return waiting.shift() ?? "";
  };
}

import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { prisma } from "~/kit/database/database";
import { hasNginx, startNginx } from "../stand-ins/nginx";
import { hasPgBouncer, startPgBouncer } from "../stand-ins/pgbouncer";
import { startFleet } from "./fleet";
import { openTab } from "./live-reader";
import { createRandom } from "./random";
import { report, reporting, scale } from "./scale";
import { type BundledServer, bundleServer } from "./server-process";

const { seed, writers, readers, liveKills, liveWithinMs } = scale;
/** Requests that a server lives for at most. */
const lifetime = 150;
/** Milliseconds without kills before the last write: a tab waits up to five seconds between two attempts to connect. */
const calmMs = 8_000;

type Numbers = Record<string, number>;

const isInstalled = hasPgBouncer && hasNginx;
if (!isInstalled) console.warn("PgBouncer or nginx is not installed: the history of live queries is not checked.");

let server: BundledServer;

describe.runIf(isInstalled)("live queries", () => {
  beforeAll(async () => {
    // The properties of a browser that live queries use.
    vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
    vi.stubGlobal("window", new EventTarget());
    vi.stubGlobal("navigator", {});
    server = await bundleServer();
  }, 60_000);

  afterAll(async () => {
    vi.unstubAllGlobals();
    await server.remove();
  });

  test(
    "behind PgBouncer and nginx, over three servers that are killed: no tab goes back in time, and all end with the last state",
    async () => {
      report(`${writers} writers and ${readers} readers, seed ${seed}`);
      const random = createRandom(seed);
      const pooler = await startPgBouncer(String(process.env.DATABASE_URL));
      const settings = { DATABASE_URL: pooler.url };
      const fleet = startFleet({ ...server, size: 3, random, lifetime, settings });
      const { origin, stop } = await startNginx(() => fleet.origin());

      const seen: Numbers[] = Array.from({ length: readers }, () => ({}));
      const wentBack: { reader: number; before: Numbers; now: Numbers }[] = [];
      let results = 0;
      const tabs = seen.map((_, reader) =>
        openTab(origin, "crash.numbers", (result) => {
          const [before, now] = [seen[reader] ?? {}, result as Numbers];
          if (Object.entries(before).some(([writer, n]) => (now[writer] ?? 0) < n))
            wentBack.push({ reader, before, now });
          seen[reader] = now;
          results++;
        }),
      );

      let isOver = false;
      const write = async (writer: string) => {
        for (let n = 1; !isOver; n++) {
          while (!(await setNumber(origin, { writer, n })) && fleet.failures.length === 0) await pause(50);
          await pause(random.below(100));
        }
      };
      const writing = Promise.all(Array.from({ length: writers }, (_, index) => write(`writer ${index}`)));
      const killing = async () => {
        while (fleet.kills() < liveKills && fleet.failures.length === 0) await pause(100);
        fleet.spare();
        if (fleet.failures.length === 0) await pause(calmMs);
        isOver = true;
        await writing;
        expect(fleet.failures).toEqual([]);
      };
      await reporting(() => `${fleet.kills()} kills, ${results} results`, killing());
      const quiet = performance.now();
      const rows = await prisma.message.findMany({ where: { author: { startsWith: "writer " } } });
      const last = Object.fromEntries(rows.map(({ author, body }) => [author, Number(body)]));
      await vi.waitFor(() => expect(seen.filter((numbers) => !isSame(numbers, last))).toEqual([]), {
        timeout: liveWithinMs,
        interval: 20,
      });
      report(`All show the last state ${Math.round(performance.now() - quiet)} ms after it was written`);

      for (const close of tabs) close();
      await fleet.stop();
      await stop();
      await pooler.stop();
      expect(wentBack).toEqual([]);
      expect(fleet.failures).toEqual([]);
      expect(Object.values(last).every((n) => n > 1)).toBe(true);
    },
    scale.limit,
  );
});

const isSame = (some: Numbers, other: Numbers) =>
  Object.keys(other).length === Object.keys(some).length && Object.entries(other).every(([key, n]) => some[key] === n);

/** Whether it was answered that the number is set. */
async function setNumber(origin: string, args: { writer: string; n: number }): Promise<boolean> {
  const headers = { "Content-Type": "application/json" };
  const init = { method: "POST", headers, body: JSON.stringify({ json: args }), signal: AbortSignal.timeout(30_000) };
  const response = await fetch(`${origin}/api/trpc/crash.setNumber`, init).catch(() => null);
  // The connection can be used again only after the body was read.
  await response?.arrayBuffer().catch(() => null);
  return response?.status === 200;
}

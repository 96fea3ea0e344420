import { createServer } from "node:net";
import { afterAll, expect, test, vi } from "vitest";
import { startQuietProxy } from "../stand-ins/quiet-proxy";

// The direct connection does not work: something accepts connections and never answers.
const silent = createServer((socket) => socket.on("error", () => undefined)).listen(0, "127.0.0.1");
await new Promise((resolve) => silent.once("listening", resolve));
const address = silent.address();
const proxy = await startQuietProxy(process.env.DATABASE_URL ?? "");
process.env.DATABASE_URL = proxy.url;
process.env.DIRECT_DATABASE_URL = `postgresql://a:b@127.0.0.1:${typeof address === "object" ? address?.port : 0}/x`;
const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
const { pool, pools } = await import("~/kit/database/database");
const { changesSince } = await import("~/kit/live/change-log");
const { serveChanges } = await import("~/kit/live/serve-changes");

afterAll(async () => {
  silent.close();
  proxy.stop();
});

test("with a direct way that is closed, changes are polled for; while nothing is heard of, streams end and new ones are refused", {
  timeout: 90_000,
}, async () => {
  const end = new AbortController();
  const changes = changesSince(null, end.signal);
  expect((await changes.next()).value).toMatchObject({ tables: null });
  expect(log.mock.calls.flat().join("\n")).toMatch(/the direct connection leads to 127\.0\.0\.1.*IPv6/);
  await pool.query("TRUNCATE messages");
  let told = (await changes.next()).value;
  while (!told?.tables?.includes("messages")) told = (await changes.next()).value;

  proxy.fallSilent();
  let last = await changes.next();
  while (!last.done) last = await changes.next();
  const refused = serveChanges(new Request("http://app.test/api/trpc/_kit.changes"));
  expect(refused.status).toBe(503);

  proxy.speakAgain();
  await vi.waitFor(
    async () => {
      const response = serveChanges(new Request("http://app.test/api/trpc/_kit.changes"));
      await response.body?.cancel();
      expect(response.status).toBe(200);
    },
    { timeout: 30_000, interval: 200 },
  );
  end.abort();
  await Promise.all(Object.values(pools).map((each) => each.query("SELECT 1").catch(() => undefined)));
});

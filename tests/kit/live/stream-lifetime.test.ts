import { afterEach, expect, test, vi } from "vitest";
import { pool } from "~/kit/database/database";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

test("GET /api/trpc/_kit.changes on Vercel: ends before the function's time limit, after a word to come again", async () => {
  vi.stubEnv("VERCEL", "1");
  const { serveChanges } = await import("~/kit/live/serve-changes");
  vi.useFakeTimers({ toFake: ["Date"] });
  const { body } = serveChanges(new Request("http://app.test/api/trpc/_kit.changes"));
  const reader = (body ?? new ReadableStream()).getReader();
  const next = async () => new TextDecoder().decode((await reader.read()).value).split("\n")[0];
  expect(await next()).toBe("event: connected");
  expect(await next()).toBe('data: {"json":null}');
  vi.setSystemTime(Date.now() + 240_000);
  await pool.query("TRUNCATE images");
  expect(await next()).toBe('data: {"json":["images"]}');
  expect(await next()).toBe("event: return");
  expect(await reader.read()).toEqual({ done: true, value: undefined });
});

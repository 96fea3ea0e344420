import { expect, test, vi } from "vitest";
import { pool, pools } from "~/kit/database/database";

test("a process has 17 connections at most, beside the one that listens for changes", () => {
  expect(Object.values(pools).map(({ options }) => options.max)).toEqual([10, 5, 2]);
});

test("on Vercel, where processes are many and small, it has half as many for functions", async () => {
  const scope = globalThis as { storageKit?: unknown };
  const kept = scope.storageKit;
  Reflect.deleteProperty(globalThis, "storageKit");
  vi.stubEnv("VERCEL", "1");
  vi.resetModules();
  const onVercel = await import("~/kit/database/database");
  expect(Object.values(onVercel.pools).map(({ options }) => options.max)).toEqual([5, 3, 2]);
  vi.unstubAllEnvs();
  scope.storageKit = kept;
});

test("pool, a connection that the database ends while it is used, is replaced and does not end the process", async () => {
  const client = await pool.connect();
  const { rows } = await client.query("SELECT pg_backend_pid() AS pid");
  const ended = new Promise((resolve) => client.once("end", resolve));
  await pool.query("SELECT pg_terminate_backend($1)", [rows[0].pid]);
  await ended;
  client.release();
  expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
});

import { afterAll, expect, test, vi } from "vitest";

const works = vi.hoisted(() => {
  Object.assign(process.env, { VERCEL: "1", BLOB_STORE_ID: "store_1" });
  return [] as Promise<unknown>[];
});
vi.mock("@vercel/functions", () => ({ waitUntil: (work: Promise<unknown>) => works.push(work) }));

const { httpRouter, cronJobs } = await import("~/kit/server");
const { internalMutation, kit, mutation } = await import("~/kit");
const { serveRouter } = await import("~/kit/functions/router");

afterAll(() => {
  delete process.env.VERCEL;
  delete process.env.BLOB_STORE_ID;
});

test("on Vercel, a process runs what a request scheduled once it is answered, by the functions that it serves", async () => {
  const ran = vi.fn();
  const later = internalMutation({ handler: ran });
  const schedule = mutation({ handler: async (ctx) => void (await ctx.scheduler.runAfter(0, later, {})) });
  const { router } = kit.app({ functions: { probe: { later, schedule } }, http: httpRouter(), crons: cronJobs() });
  const call = new Request("http://app.test/api/trpc/probe.schedule", { method: "POST" });
  expect((await serveRouter(router)(call)).status).toBe(200);
  while (works.length > 0) await works.shift();
  expect(ran).toHaveBeenCalledOnce();
});

import { setTimeout as pause } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { pools, prisma } from "~/kit/database/database";
import { startRunner } from "~/kit/jobs/runner";
import { eventually } from "../eventually";
import "~/functions";

test("a process with nothing to do asks the database nothing, and hears of a new job at once", async () => {
  const stop = startRunner();
  // Waits for jobs from before the start: recurring ones, and others that are due.
  await eventually(async () =>
    expect(await prisma.scheduledFunction.count({ where: { state: "inProgress" } })).toBe(0),
  );
  await pause(6_000);
  const asked = Object.values(pools).map((pool) => vi.spyOn(pool, "connect"));
  // Waits longer than the time between two looks while jobs wait.
  await pause(6_000);
  expect(asked.flatMap((spy) => spy.mock.calls)).toEqual([]);
  vi.restoreAllMocks();
  const data = { name: "messages.sendOne", args: { json: { author: "idle", body: "b" } }, scheduledTime: new Date() };
  await prisma.scheduledFunction.create({ data });
  await eventually(async () => expect(await prisma.message.count({ where: { author: "idle" } })).toBe(1));
  await stop();
});

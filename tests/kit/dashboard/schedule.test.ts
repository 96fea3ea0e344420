import superjson from "superjson";
import { v7 } from "uuid";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ScheduledState } from "~/generated/prisma/client";
import { prisma } from "~/kit/database/database";
import { runDueJobs } from "~/kit/jobs/runner";
import { account } from "./administrator";

let schedule: Awaited<ReturnType<typeof account>>["api"]["dashboard"]["schedule"];

beforeAll(async () => {
  schedule = (await account({ isAdmin: true })).api.dashboard.schedule;
});

beforeEach(async () => {
  await prisma.scheduledFunction.deleteMany();
});

/** Inserts a job that is due, or ended, so many minutes from now. */
async function job(state: ScheduledState, minutes: number, args: object = { author: "Job", body: "Ran" }) {
  const id = v7();
  const time = new Date(Date.now() + minutes * 60_000);
  const completedTime = ["success", "failed", "canceled"].includes(state) ? time : null;
  const data = { id, name: "messages.sendOne", args: { ...superjson.serialize(args) } as object, state, completedTime };
  await prisma.scheduledFunction.create({ data: { ...data, scheduledTime: time } });
  return id;
}

const ids = async (list: "pending" | "running" | "failed" | "recent", limit = 50, cursor: string | null = null) =>
  (await schedule.jobs({ list, limit, cursor })).page.map(({ _id }) => _id);

describe("jobs", () => {
  test("in their state, next or last first, a page at a time", async () => {
    const [later, sooner] = [await job("pending", 20), await job("pending", 10)];
    const running = await job("inProgress", -1);
    const [old, failed, latest] = [await job("success", -30), await job("failed", -20), await job("canceled", -10)];
    expect(await ids("pending")).toEqual([sooner, later]);
    expect(await ids("running")).toEqual([running]);
    expect(await ids("failed")).toEqual([failed]);
    expect(await ids("recent")).toEqual([latest, failed, old]);
    const { page, nextCursor } = await schedule.jobs({ list: "recent", limit: 2 });
    expect(page).toMatchObject([{ state: "canceled", args: { author: "Job", body: "Ran" } }, { state: "failed" }]);
    expect(await ids("recent", 2, nextCursor)).toEqual([old]);
    const { nextCursor: second } = await schedule.jobs({ list: "pending", limit: 1 });
    expect(await ids("pending", 1, second)).toEqual([later]);
  });
});

test("jobs of one function alone, with their attempts and when they are tried next", async () => {
  const retryAt = new Date(Date.now() + 60_000);
  const retry = { maxAttempts: 5, initialBackoffMs: 1000, base: 2 };
  const id = await job("pending", -1);
  await prisma.scheduledFunction.update({
    where: { id },
    data: { name: "some.other", retry, failures: 2, retryAt, error: "E" },
  });
  await job("pending", 10);
  expect((await schedule.jobs({ list: "pending", name: "some.other" })).page).toMatchObject([
    { _id: id, failures: 2, maxAttempts: 5, retryAt: retryAt.getTime(), error: "E" },
  ]);
  expect(await ids("pending")).toHaveLength(2);
});

describe("cancelAll", () => {
  test("cancels a list, or a function's jobs in it, and leaves recurring functions alone", async () => {
    const [one, two, other] = [await job("pending", 1), await job("pending", 2), await job("pending", 3)];
    const [recurring, running] = [await job("pending", 4), await job("inProgress", -1)];
    await prisma.scheduledFunction.update({ where: { id: other }, data: { name: "some.other" } });
    await prisma.scheduledFunction.update({ where: { id: recurring }, data: { cron: "often" } });
    expect(await schedule.cancelAll({ list: "pending", name: "messages.sendOne" })).toBe(2);
    expect(await ids("pending")).toEqual([other, recurring]);
    expect(await schedule.cancelAll({ list: "pending" })).toBe(1);
    expect(await ids("pending")).toEqual([recurring]);
    expect(await ids("running")).toEqual([running]);
    expect((await ids("recent")).sort()).toEqual([one, two, other].sort());
  });
});

describe("cancel", () => {
  test("a pending job never runs", async () => {
    const jobId = await job("pending", -1);
    await schedule.cancel({ jobId });
    await runDueJobs(1000);
    expect(await prisma.scheduledFunction.findUnique({ where: { id: jobId } })).toMatchObject({ state: "canceled" });
    expect(await prisma.message.count({ where: { author: "Job" } })).toBe(0);
  });
});

describe("runAgain", () => {
  test("a job that failed runs once more, with its arguments, and stays in the list", async () => {
    const jobId = await job("failed", -1);
    const again = await schedule.runAgain({ jobId });
    await runDueJobs(5000);
    expect(await prisma.message.findMany({ where: { author: "Job" } })).toMatchObject([
      { body: "Sent via HTTP action: Ran" },
    ]);
    expect(await ids("recent")).toEqual(expect.arrayContaining([jobId, again]));
  });

  test("a job that has not ended, NOT_FOUND", async () => {
    const jobId = await job("pending", 10);
    await expect(schedule.runAgain({ jobId })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("crons", () => {
  test("with when they run next, and how they ended last", async () => {
    const [before] = await schedule.crons();
    expect(before).toMatchObject({ name: "upkeep", function: "_kit.upkeep", last: null });
    expect(before?.next).toBeGreaterThan(Date.now());
    await prisma.scheduledFunction.create({
      data: {
        name: "_kit.upkeep",
        args: {},
        scheduledTime: new Date(0),
        completedTime: new Date(),
        state: "failed",
        error: "E",
        cron: "upkeep",
      },
    });
    expect((await schedule.crons())[0]?.last).toMatchObject({ state: "failed", error: "E" });
  });
});

import { describe, expect, test } from "vitest";
import { internalMutation } from "~/kit/functions/builders";
import { cronJobs } from "~/kit/jobs/crons";

const fn = internalMutation({ handler: () => undefined });

/** The first times after `from` at which such a function runs. */
function times(expression: string, timeZone: string, from: string, count: number): string[] {
  const crons = cronJobs();
  crons.cron("tested", expression, fn, {}, { timeZone });
  const job = crons.jobs.get("tested");
  let now = new Date(from);
  return Array.from({ length: count }, () => {
    now = job?.next(now) ?? now;
    return now.toISOString().slice(0, 16);
  });
}

describe("a recurring function in a time zone, when clocks go forward (Berlin: 02:00 to 03:00 on March 29, 01:00 UTC)", () => {
  test.each([
    ["a fixed time in the gap runs right after it", "30 2 * * *", ["03-28T01:30", "03-29T01:00", "03-30T00:30"]],
    [
      "so does each of a list, once for all in the gap",
      "15,45 2 * * *",
      ["03-28T01:15", "03-28T01:45", "03-29T01:00", "03-30T00:15"],
    ],
    ["a fixed time at the end of the gap runs once", "0 3 * * *", ["03-28T02:00", "03-29T01:00", "03-30T01:00"]],
    ["a date whose only time is in the gap is not missed", "30 2 29 3 *", ["03-29T01:00"]],
  ])("%s", (_, expression, expected) => {
    const found = times(expression, "Europe/Berlin", "2026-03-28T00:00:00Z", expected.length);
    expect(found).toEqual(expected.map((time) => `2026-${time}`));
  });

  test("steps leave the gap out", () => {
    expect(times("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3)).toEqual([
      "2026-03-29T00:30",
      "2026-03-29T01:00",
      "2026-03-29T01:30",
    ]);
    expect(times("*/30 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 1)).toEqual(["2026-03-30T00:00"]);
  });

  test("midnight may be in the gap (São Paulo, 2018)", () => {
    expect(times("0 0 * * *", "America/Sao_Paulo", "2018-11-03T00:00:00Z", 3)).toEqual([
      "2018-11-03T03:00",
      "2018-11-04T03:00",
      "2018-11-05T02:00",
    ]);
  });
});

describe("a recurring function in a time zone, when clocks go back (Berlin: 03:00 to 02:00 on October 25, 01:00 UTC)", () => {
  test.each([
    ["a fixed time that comes twice runs the first time", "30 2 * * *", ["24T00:30", "25T00:30", "26T01:30"]],
    [
      "steps run at both",
      "*/30 2 * * *",
      ["24T00:00", "24T00:30", "25T00:00", "25T00:30", "25T01:00", "25T01:30", "26T01:00"],
    ],
  ])("%s", (_, expression, expected) => {
    const found = times(expression, "Europe/Berlin", "2026-10-23T12:00:00Z", expected.length);
    expect(found).toEqual(expected.map((time) => `2026-10-${time}`));
  });

  test("half an hour is repeated (Lord Howe Island: 02:00 to 01:30 on April 5)", () => {
    expect(times("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", 2)).toEqual([
      "2026-04-04T14:45",
      "2026-04-05T15:15",
    ]);
  });
});

test("without a time zone a time is in UTC, wherever the server is", () => {
  const crons = cronJobs();
  crons.cron("utc", "30 2 * * *", fn);
  const job = crons.jobs.get("utc");
  expect(job?.next(new Date("2026-03-28T12:00:00Z"))).toEqual(new Date("2026-03-29T02:30:00Z"));
  expect(job?.schedule).toBe("30 2 * * *");
});

test("an unknown time zone is refused with its name", () => {
  expect(() => cronJobs().cron("x", "0 0 * * *", fn, {}, { timeZone: "Mars/Base" })).toThrow(
    /"x" has an unknown time zone "Mars\/Base"/,
  );
});

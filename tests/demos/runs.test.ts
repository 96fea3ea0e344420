import { expect, test } from "vitest";
import { startsRun } from "~/app/chat/runs";

const minute = 60_000;

test.each([
  { case: "the first of all", entry: { author: "Ada", at: 0 }, previous: undefined, starts: true },
  { case: "another author", entry: { author: "Ben", at: 0 }, previous: { author: "Ada", at: 0 }, starts: true },
  { case: "soon after", entry: { author: "Ada", at: 5 * minute }, previous: { author: "Ada", at: 0 }, starts: false },
  { case: "long after", entry: { author: "Ada", at: 6 * minute }, previous: { author: "Ada", at: 0 }, starts: true },
])("startsRun: $case is $starts", ({ entry, previous, starts }) => {
  expect(startsRun(entry, previous)).toBe(starts);
});

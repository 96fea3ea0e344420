import { expect, test } from "vitest";
import { backoff } from "~/kit/live/listener";

test("backoff: at once the first time, then twice as long each time up to ten seconds, or half of it by chance", () => {
  expect(backoff(0)).toBe(0);
  for (const [failures, longest] of [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000].entries()) {
    const pause = backoff(failures + 1);
    expect(pause).toBeGreaterThanOrEqual(longest / 2);
    expect(pause).toBeLessThanOrEqual(longest);
  }
  expect(backoff(10_000)).toBeLessThanOrEqual(10_000);
});

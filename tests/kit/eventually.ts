import { vi } from "vitest";

/** Waits until `check` throws no more. On a busy machine that may take as long as the test has. */
export function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 15_000, interval: 20 });
}

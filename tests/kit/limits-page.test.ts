import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { env } from "~/kit/process/env";
import { limits } from "~/kit/process/limits";

/** The rows of docs/limits.md: name and default. */
const page = await readFile("docs/limits.md", "utf8");
const rows = [...page.matchAll(/^\| `(\w+)` \| ([\d.]+) \|/gm)].map(
  ([, name = "", value]) => [name, Number(value)] as const,
);
const named = (isSetting: boolean) => Object.fromEntries(rows.filter(([name]) => /^[A-Z_]+$/.test(name) === isSetting));

test("docs/limits.md names every number of limits.ts, with its default", () => {
  expect(named(false)).toEqual(limits);
});

test("docs/limits.md names every setting that limits, with its default", () => {
  const settings = Object.keys(env).filter((name) => /^(RATE_LIMIT_|CALL_LOG_|STORAGE_QUOTA$)|_TIMEOUT$/.test(name));
  const changed = Object.keys(process.env);
  expect(Object.keys(named(true)).sort()).toEqual(settings.sort());
  for (const [name, value] of Object.entries(named(true))) {
    if (!changed.includes(name)) expect([name, env[name as "STORAGE_QUOTA"]]).toEqual([name, value]);
  }
});

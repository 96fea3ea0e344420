import { afterAll, expect, test } from "vitest";
import { directHistory } from "./direct-histories";
import { resumableHistory } from "./histories";
import { openWorlds, runHistories } from "./worlds";

const { worlds, close } = await openWorlds();
afterAll(close);

// UPLOAD_SEED=7 UPLOAD_HISTORIES=1 repeats one history.
const seeds = { first: Number(process.env.UPLOAD_SEED ?? 1), count: Number(process.env.UPLOAD_HISTORIES ?? 2000) };
const timeout = 3_600_000;

for (const [name, world] of Object.entries(worlds)) {
  test(`histories of resumable uploads to ${name}`, { timeout }, async () => {
    expect((await runHistories(world, resumableHistory, seeds)).join("\n\n")).toBe("");
  });
  test.runIf(world.hasDirect)(`histories of direct uploads to ${name}`, { timeout }, async () => {
    expect((await runHistories(world, directHistory, seeds)).join("\n\n")).toBe("");
  });
}

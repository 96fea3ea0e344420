import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { storeIdKey } from "~/kit/storage/store-id";
import { everything } from "../storage/kit";
import type { CrashPoint } from "./fleet";
import { type BundledServer, bundleServer } from "./server-process";

let server: BundledServer;
beforeAll(async () => {
  server = await bundleServer();
}, 60_000);
afterAll(() => server.remove());

const insert = "sql DELETE _unowned_blobs, INSERT _spent_uploads, INSERT _storage";

/**
 * The last step of a server that receives a form of three files, how often it has taken that step before, and how many files
 * it leaves.
 */
const points: [CrashPoint, number, number][] = [
  ["before disk create", 0, 0],
  ["after disk write", 1, 0],
  ["after disk sync folder", 2, 0],
  [`before ${insert}`, 0, 0],
  // The first of three rows is inserted, and not committed.
  [`before ${insert}`, 1, 0],
  [`after ${insert}`, 2, 0],
  ["after sql COMMIT", 0, 3],
];

test.each(points)(
  "a server killed %s (skipping %i): %i files of the form, and no blob without an owner",
  async (point, skip, rows) => {
    const before = await prisma.storage.count();
    const { child, origin } = await server.launch({ CRASH_AT: point, CRASH_SKIP: `${skip}` });
    const exit = once(child, "exit");
    const form = new FormData();
    for (const name of ["a", "b", "c"]) form.append("file", new Blob([name.repeat(100_000)]), name);
    await expect(fetch(`${origin}/http/form`, { method: "POST", body: form })).rejects.toThrow();
    expect(await exit).toEqual([null, "SIGKILL"]);
    expect(await prisma.storage.count()).toBe(before + rows);
    expect(await orphans()).toEqual([]);
  },
  60_000,
);

test("a server that is not killed keeps all files of a form", async () => {
  const { child, origin } = await server.launch({});
  const form = new FormData();
  for (const name of ["a", "b", "c"]) form.append("file", new Blob([name.repeat(100_000)]), name);
  const response = await fetch(`${origin}/http/form`, { method: "POST", body: form });
  expect(await response.json()).toMatchObject([{ name: "a" }, { name: "b" }, { name: "c" }]);
  expect(await orphans()).toEqual([]);
  child.kill("SIGKILL");
}, 60_000);

/** Blobs in the store, including unfinished ones, that no file owns and that garbage collection does not know. */
async function orphans(): Promise<string[]> {
  const owned = await prisma.storage.findMany({ omit: { blobKey: false } });
  const listed = await prisma.unownedBlob.findMany();
  const known = [storeIdKey, ...[...owned, ...listed].map(({ blobKey }) => blobKey)];
  const { blobs } = await everything();
  return blobs.filter((name) => !known.some((key) => name.includes(key)));
}

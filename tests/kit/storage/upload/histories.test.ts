import { randomBytes } from "node:crypto";
import { afterAll, expect, test, vi } from "vitest";
import { prisma } from "~/kit/database/database";
import { blobs } from "~/kit/storage/blobs";
import { deleteUnownedBlobs } from "~/kit/storage/garbage-collection";
import { post, storage } from "../kit";
import { directHistory } from "./direct-histories";
import { resumableHistory } from "./histories";
import { openWorlds, runHistories } from "./worlds";

// A sample of what `npm run test:soak` runs by the thousand: see histories.soak.test.ts.

const { worlds, s3, close } = await openWorlds();
afterAll(close);

for (const [name, world] of Object.entries(worlds)) {
  test(`uploads to ${name} survive calls of the store and the database that fail`, async () => {
    expect((await runHistories(world, resumableHistory, { first: 1, count: 15 })).join("\n\n")).toBe("");
    if (!world.hasDirect) return;
    expect((await runHistories(world, directHistory, { first: 1, count: 8 })).join("\n\n")).toBe("");
  });
}

test("a store that writes a blob after its connection broke: the blob is deleted", async () => {
  worlds.s3?.use();
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const intercept = s3.intercept;
  let write: (() => Promise<unknown>) | undefined;
  const later = (act: () => Promise<unknown>) => {
    write = act;
  };
  s3.intercept = ({ method }) => (method === "PUT" ? { instead: "cut", later } : undefined);
  expect((await post(await storage.generateUploadUrl(), randomBytes(10))).status).toBe(503);
  s3.intercept = intercept;
  log.mockRestore();
  await write?.();
  await prisma.$executeRaw`UPDATE "_unowned_blobs" SET "deleteAfter" = now()`;
  await deleteUnownedBlobs();
  for await (const { key } of blobs.list()) expect(key).toBeNull();
});

import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { runDueJobs } from "~/kit/jobs/runner";
import { compactTotals } from "~/kit/storage/quota";
import { serve } from "~/kit/storage/serve";
import { apiOf, post, uploadFile } from "../caller";
import { eventually } from "../eventually";
import { account } from "./administrator";

let files: Awaited<ReturnType<typeof account>>["api"]["dashboard"]["files"];

beforeAll(async () => {
  files = (await account({ isAdmin: true })).api.dashboard.files;
});

beforeEach(async () => {
  await prisma.file.deleteMany();
  await prisma.message.deleteMany();
  await prisma.$executeRaw`TRUNCATE "_storage" CASCADE`;
});

/** Uploads files of these sizes, in turn. */
async function uploaded(...sizes: [bytes: number, type?: string][]): Promise<string[]> {
  const ids: string[] = [];
  for (const [bytes, type = "image/png"] of sizes) ids.push(await uploadFile("x".repeat(bytes), type));
  return ids;
}

/** All pages of a list. */
async function pages(input: Parameters<typeof files.list>[0]): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const answer = await files.list({ ...input, cursor });
    ids.push(...answer.page.map(({ _id }) => _id));
    cursor = answer.nextCursor;
  } while (cursor);
  return ids;
}

describe("total", () => {
  test("counts files and bytes, through uploads, deletions and folding", async () => {
    expect(await files.total()).toEqual({ files: 0, bytes: 0 });
    const [first = ""] = await uploaded([5], [10]);
    expect(await files.total()).toEqual({ files: 2, bytes: 15 });
    await Promise.all([compactTotals(), compactTotals()]);
    expect(await prisma.storageTotal.count()).toBe(1);
    await files.delete({ storageIds: [first] });
    expect(await files.total()).toEqual({ files: 1, bytes: 10 });
    await compactTotals();
    expect(await files.total()).toEqual({ files: 1, bytes: 10 });
  });
});

describe("list", () => {
  test("newest first, oldest first, by size either way, a page at a time", async () => {
    const [a, b, c, d] = await uploaded([30], [10], [20], [10]);
    expect(await pages({ limit: 1 })).toEqual([d, c, b, a]);
    expect(await pages({ limit: 3, direction: "asc" })).toEqual([a, b, c, d]);
    expect(await pages({ limit: 1, sort: "size" })).toEqual([a, c, d, b]);
    expect(await pages({ limit: 2, sort: "size", direction: "asc" })).toEqual([b, d, c, a]);
  });

  test("of one kind, whatever the spelling, and of none", async () => {
    const [png, text, none] = await uploaded([1, "Image/PNG"], [2, "text/plain; charset=utf-8"], [3, ""]);
    expect(await pages({ kind: "image" })).toEqual([png]);
    expect(await pages({ kind: "text", sort: "size" })).toEqual([text]);
    expect(await pages({ kind: "none" })).toEqual([none]);
    expect(await pages({ kind: "video" })).toEqual([]);
  });

  test("of a time", async () => {
    const [a, b] = await uploaded([1], [2]);
    const at = (await files.get({ storageId: b ?? "" }))?._creationTime ?? 0;
    expect(await pages({ from: at })).toEqual([b]);
    expect(await pages({ before: at })).toEqual([a]);
    expect(await pages({ from: at, before: at })).toEqual([]);
  });

  test("a cursor that is none, BAD_REQUEST", async () => {
    await expect(files.list({ cursor: "'; DROP" })).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("tells what refers to each, by every foreign key, five rows of a table at most", async () => {
    const ann = apiOf("ann");
    const storageId = await uploadFile("x", "image/png", ann);
    await ann.files.saveFile({ storageId, name: "<b>holiday</b>.png" });
    for (let sent = 0; sent < 7; sent++) await ann.messages.sendImage({ storageId, author: "a" });
    const file = await files.get({ storageId });
    expect(file?.references.filter(({ table }) => table === "messages")).toHaveLength(5);
    expect(file?.references).toContainEqual({
      table: "files",
      column: "storageId",
      row: expect.stringMatching(/^[0-9a-f-]{36}$/),
      label: "<b>holiday</b>.png",
    });
    expect(file?.owner).toBe("test|ann");
  });
});

describe("get", () => {
  test("an unknown id, null", async () => {
    expect(await files.get({ storageId: "01990000-0000-7000-8000-000000000000" })).toBeNull();
  });

  test("its URLs serve it, and save it by the name that a row gives it", async () => {
    const ann = apiOf("ann");
    const storageId = await uploadFile("bytes", "text/plain", ann);
    await ann.files.saveFile({ storageId, name: "notes.txt" });
    const file = await files.get({ storageId });
    expect(await (await serve(new Request(file?.url ?? ""))).text()).toBe("bytes");
    const saved = await serve(new Request(file?.downloadUrl ?? ""));
    expect(saved.headers.get("content-disposition")).toBe('attachment; filename="notes.txt"');
  });
});

describe("generateUploadUrl", () => {
  test("stores a file of the administrator's", async () => {
    const { api, identity } = await account({ isAdmin: true });
    const response = await post(await api.dashboard.files.generateUploadUrl(), "x");
    const { storageId }: { storageId: string } = await response.json();
    expect(await files.get({ storageId })).toMatchObject({ owner: identity.tokenIdentifier, size: 1 });
  });
});

describe("delete", () => {
  test("many at once, with the rows that go with them; those that are gone do not count", async () => {
    const ann = apiOf("ann");
    const storageId = await uploadFile("x", "image/png", ann);
    await ann.files.saveFile({ storageId, name: "a" });
    const [other = ""] = await uploaded([3]);
    const { url } = (await files.get({ storageId })) ?? { url: "" };
    expect(await files.delete({ storageIds: [storageId, other] })).toBe(2);
    expect(await files.delete({ storageIds: [storageId, other] })).toBe(0);
    expect((await serve(new Request(url))).status).toBe(404);
    expect(await prisma.file.count()).toBe(0);
    await eventually(async () => expect(await prisma.unownedBlob.count()).toBe(0));
  });

  test("a file that a row must refer to, CONFLICT, and nothing is deleted", async () => {
    const [held = "", free = ""] = await uploaded([1], [2]);
    await prisma.$executeRaw`CREATE TABLE held ("storageId" uuid NOT NULL REFERENCES "_storage")`;
    await prisma.$executeRaw`INSERT INTO held VALUES (${held}::uuid)`;
    await expect(files.delete({ storageIds: [free, held] })).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await files.total()).toEqual({ files: 2, bytes: 3 });
    await prisma.$executeRaw`DROP TABLE held`;
  });
});

describe("sweepPreview", () => {
  test("what the next sweep would remove, once it was found out", async () => {
    const [old = ""] = await uploaded([7], [8]);
    await prisma.$transaction([
      prisma.$executeRaw`SELECT set_config('storage.row', '*', true)`,
      prisma.$executeRaw`UPDATE "_storage" SET "_creationTime" = now() - interval '2 days' WHERE "_id" = ${old}::uuid`,
    ]);
    expect(await files.sweepPreview()).toEqual({ preview: null, graceHours: 24 });
    const asked = await files.refreshSweepPreview();
    await runDueJobs(5000);
    const { preview } = await files.sweepPreview();
    expect(preview?.at).toBeGreaterThanOrEqual(asked);
    expect(preview).toEqual({ files: 1, bytes: 7, ids: [old], blobs: 0, at: expect.any(Number) });
    expect(await files.total()).toEqual({ files: 2, bytes: 15 });
  });
});

import { beforeAll, describe, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { readDb } from "~/kit/database/db";
import { alone } from "~/kit/database/transaction";
import { uploadFile } from "./caller";

const { system } = readDb(alone);
const files: string[] = [];

beforeAll(async () => {
  for (const body of ["a", "b", "c", "d", "e"]) files.push(await uploadFile(body));
  // Two of one millisecond: the id decides.
  await prisma.$transaction([
    prisma.$executeRaw`SELECT set_config('storage.row', '*', true)`,
    prisma.$executeRaw`UPDATE "_storage" AS file SET "_creationTime" = to_timestamp(second)
      FROM unnest(${files}::uuid[], ${[1000, 1001, 1001, 1003, 1004]}::int[]) AS given(id, second) WHERE file."_id" = id`,
  ]);
});

const ids = (documents: { _id: string }[]) => documents.map(({ _id }) => files.indexOf(_id));

describe("db.system.get", () => {
  test("document, null, or BAD_REQUEST that quotes the id", async () => {
    expect(await system.get(files[0] ?? "")).toEqual({
      _id: files[0],
      _creationTime: 1_000_000,
      sha256: "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
      size: 1,
      contentType: "image/png",
    });
    expect(await system.get("01990000-0000-7000-8000-000000000000")).toBeNull();
    await expect(system.get("nonsense")).rejects.toMatchObject({
      code: "BAD_REQUEST",
      message: expect.stringContaining("nonsense"),
    });
  });
});

describe("db.system.query", () => {
  const query = () => system.query("_storage");

  test("in order of creation, either way", async () => {
    expect(ids(await query().take(10))).toEqual([0, 1, 2, 3, 4]);
    expect(ids(await query().order("desc").take(2))).toEqual([4, 3]);
    expect(await query().order("desc").first()).toMatchObject({ _id: files[4] });
  });

  test("in a range of creation time", async () => {
    expect(ids(await query().created({ from: 1_001_000, before: 1_004_000 }).take(10))).toEqual([1, 2, 3]);
    expect(await query().created({ from: 2_000_000 }).first()).toBeNull();
  });

  test.each(["asc", "desc"] as const)("in pages, %s, each document once", async (order) => {
    const seen: number[] = [];
    let cursor: string | null = null;
    do {
      const { page, nextCursor } = await query().order(order).paginate({ limit: 2, cursor });
      seen.push(...ids(page));
      cursor = nextCursor;
    } while (cursor);
    expect(seen).toEqual(order === "asc" ? [0, 1, 2, 3, 4] : [4, 3, 2, 1, 0]);
  });

  test("with a cursor of someone else's making, BAD_REQUEST", async () => {
    await expect(query().paginate({ limit: 2, cursor: "nonsense" })).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("by for await and by collect, all", async () => {
    const seen = [];
    for await (const file of query().order("desc")) seen.push(file);
    expect(ids(seen)).toEqual([4, 3, 2, 1, 0]);
    expect(ids(await query().collect())).toEqual([0, 1, 2, 3, 4]);
  });

  test("of more than a thousand: for await reads each once, and collect refuses", async () => {
    const later = { from: 3_000_000 };
    const insert = (count: number) =>
      prisma.$transaction([
        prisma.$executeRaw`SELECT set_config('storage.row', '*', true)`,
        // Ten of each millisecond, so that pages end among equal times.
        prisma.$executeRaw`INSERT INTO "_storage" ("_id", "_creationTime", "sha256", "size", "blobKey")
          SELECT gen_random_uuid(), to_timestamp(3000 + n / 10), repeat('0', 64), n, gen_random_uuid()
          FROM generate_series(1, ${count}::int) AS n`,
      ]);
    await insert(1_000);
    expect(await query().created(later).collect()).toHaveLength(1_000);
    await insert(1);
    await expect(query().created(later).collect()).rejects.toThrow(
      'more than 1000 documents to collect. Use "for await"',
    );
    const seen = new Set<string>();
    let count = 0;
    for await (const { _id } of query().created(later)) {
      seen.add(_id);
      count += 1;
    }
    expect([seen.size, count]).toEqual([1_001, 1_001]);
    const first = [];
    for await (const file of query().created(later)) {
      first.push(file);
      break;
    }
    expect(first).toHaveLength(1);
  });
});

import pg from "pg";
import { describe, expect, test, vi } from "vitest";
import { mutation, query } from "~/server/builders";
import { createSystemCaller } from "~/server/caller";
import { runMutation, runQuery } from "~/server/context";
import { pool, prisma } from "~/server/database";
import { blobs } from "~/server/storage/driver";
import { sweepBlobs } from "~/server/storage/sweep";
import { uploadFile } from "../caller";

const caller = createSystemCaller();
const run = runMutation(caller);
const read = runQuery(caller);

const text = (author: string, body = "hello") => ({ author, body, format: "text" as const });
const count = (author: string) => prisma.message.count({ where: { author } });

const failing = mutation({
  handler: async (ctx) => {
    await ctx.db.message.create({ data: text("nested") });
    throw new Error("refused");
  },
});

describe("mutation", () => {
  test("that returns, commits", async () => {
    await run(mutation({ handler: (ctx) => ctx.db.message.create({ data: text("commits") }) }));
    expect(await count("commits")).toBe(1);
  });

  test("that throws, leaves no row", async () => {
    const throws = mutation({
      handler: async (ctx) => {
        await ctx.db.message.create({ data: text("throws") });
        throw new Error("refused");
      },
    });
    await expect(run(throws)).rejects.toThrow("refused");
    expect(await count("throws")).toBe(0);
  });

  test("that throws after storage.delete, leaves the file and its bytes", async () => {
    const storageId = await uploadFile("kept");
    const throws = mutation({
      handler: async (ctx) => {
        await ctx.storage.delete(storageId);
        expect(await ctx.storage.getUrl(storageId)).toBeNull();
        throw new Error("refused");
      },
    });
    await expect(run(throws)).rejects.toThrow("refused");
    await sweepBlobs();
    const { blobKey } = await prisma.storage.findUniqueOrThrow({ where: { id: storageId }, select: { blobKey: true } });
    expect(await blobs.head(blobKey)).toEqual({ size: 4 });
  });

  test("that catches a failed statement, cannot pretend to commit", async () => {
    const id = "01990000-0000-7000-8000-000000000000";
    const pretends = mutation({
      handler: async (ctx) => {
        await ctx.db.message.create({ data: { ...text("pretends"), id } });
        await ctx.db.message.create({ data: { ...text("pretends"), id } }).catch(() => null);
        return "done";
      },
    });
    await expect(run(pretends)).rejects.toThrow(/Unique constraint/);
    expect(await count("pretends")).toBe(0);
  });

  test("that cannot begin, throws why and leaves no rejection unhandled", async () => {
    const down = new Error("The database is down");
    vi.spyOn(pool, "connect").mockRejectedValueOnce(down as never);
    const begins = mutation({ handler: (ctx) => ctx.db.message.count() });
    await expect(run(begins)).rejects.toThrow("The database is down");
  });

  test("that touches no table, opens no transaction", async () => {
    const queries = vi.spyOn(pg.Client.prototype, "query");
    const begun = () => queries.mock.calls.filter(([query]) => (query as { text?: string }).text === "BEGIN").length;
    await run(mutation({ handler: () => "nothing" }));
    expect(begun()).toBe(0);
    await run(mutation({ handler: (ctx) => ctx.db.message.count() }));
    expect(begun()).toBe(1);
    queries.mockRestore();
  });

  test("runs statements started in parallel", async () => {
    const parallel = mutation({
      handler: (ctx) => Promise.all([1, 2, 3].map((n) => ctx.db.message.create({ data: text("parallel", `${n}`) }))),
    });
    expect(await run(parallel)).toHaveLength(3);
    expect(await count("parallel")).toBe(3);
  });

  test("follows relations from a call, as Prisma does", async () => {
    const storageId = await uploadFile("abc");
    const follows = mutation({
      handler: async (ctx) => {
        const data = { ...text("follows"), storageId };
        const { id } = await ctx.db.message.create({ data });
        return ctx.db.message.findUniqueOrThrow({ where: { id } }).storage();
      },
    });
    expect(await run(follows)).toMatchObject({ _id: storageId, size: 3 });
  });
});

describe("nested mutation", () => {
  test("that throws, undoes only what it did itself", async () => {
    const outer = mutation({
      handler: async (ctx) => {
        await ctx.db.message.create({ data: text("outer") });
        await expect(ctx.runMutation(failing)).rejects.toThrow("refused");
        await ctx.db.message.create({ data: text("outer") });
      },
    });
    await run(outer);
    expect([await count("outer"), await count("nested")]).toEqual([2, 0]);
  });

  test("goes when the outer one throws", async () => {
    const inner = mutation({ handler: (ctx) => ctx.db.message.create({ data: text("inner") }) });
    const outer = mutation({
      handler: async (ctx) => {
        await ctx.runMutation(inner);
        throw new Error("refused");
      },
    });
    await expect(run(outer)).rejects.toThrow("refused");
    expect(await count("inner")).toBe(0);
  });

  test("runs beside its siblings and its parent's statements, one after the other", async () => {
    const inner = mutation({ handler: (ctx) => ctx.db.message.create({ data: text("sibling") }) });
    const outer = mutation({
      handler: (ctx) =>
        Promise.allSettled([
          ctx.runMutation(inner),
          ctx.db.message.create({ data: text("sibling") }),
          ctx.runMutation(failing),
          ctx.db.message.create({ data: text("sibling") }),
          ctx.runMutation(inner),
        ]),
    });
    const outcomes = await run(outer);
    expect(outcomes.map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
      "fulfilled",
    ]);
    expect([await count("sibling"), await count("nested")]).toEqual([4, 0]);
  });

  test("that fails in SQL, leaves the outer transaction usable", async () => {
    const id = "01990000-0000-7000-8000-000000000001";
    const duplicate = mutation({ handler: (ctx) => ctx.db.message.create({ data: { ...text("dup"), id } }) });
    const outer = mutation({
      handler: async (ctx) => {
        await ctx.runMutation(duplicate);
        await expect(ctx.runMutation(duplicate)).rejects.toThrow(/Unique constraint/);
        await ctx.db.message.create({ data: text("dup") });
      },
    });
    await run(outer);
    expect(await count("dup")).toBe(2);
  });

  test("query sees what the mutation wrote", async () => {
    const counted = query({ handler: (ctx) => ctx.db.message.count({ where: { author: "seen" } }) });
    const outer = mutation({
      handler: async (ctx) => {
        await ctx.db.message.create({ data: text("seen") });
        return ctx.runQuery(counted);
      },
    });
    expect(await run(outer)).toBe(1);
  });
});

describe("conflicting mutations", () => {
  const increment = (author: string) =>
    mutation({
      handler: async (ctx) => {
        const { id, body } = await ctx.db.message.findFirstOrThrow({ where: { author } });
        await ctx.db.message.update({ where: { id }, data: { body: `${Number(body) + 1}` } });
      },
    });

  test("run again until each took effect", async () => {
    await prisma.message.create({ data: text("counter", "0") });
    await Promise.all([1, 2, 3].map(() => run(increment("counter"))));
    expect(await prisma.message.findFirst({ where: { author: "counter" } })).toMatchObject({ body: "3" });
  });

  test("answer CONFLICT after five attempts", async () => {
    const { id } = await prisma.message.create({ data: text("contended", "0") });
    let attempts = 0;
    const contended = mutation({
      handler: async (ctx) => {
        attempts++;
        await ctx.db.message.findUniqueOrThrow({ where: { id } });
        await prisma.message.update({ where: { id }, data: { body: `${attempts}` } });
        await ctx.db.message.update({ where: { id }, data: { body: "mine" } });
      },
    });
    await expect(run(contended)).rejects.toMatchObject({ code: "CONFLICT" });
    expect(attempts).toBe(5);
  });

  test("found out only at commit, run again", async () => {
    // Write skew: each reads what the other writes, so that one of the two commits fails.
    const [one, two] = await Promise.all(
      ["skew one", "skew two"].map((author) => prisma.message.create({ data: text(author) })),
    );
    let reads = 0;
    let bothRead: () => void;
    const together = new Promise<void>((resolve) => {
      bothRead = resolve;
    });
    const skew = (read: string, write: string) =>
      mutation({
        handler: async (ctx) => {
          await ctx.db.message.findUniqueOrThrow({ where: { id: read } });
          if (++reads === 2) bothRead();
          await together;
          await ctx.db.message.update({ where: { id: write }, data: { body: "written" } });
        },
      });
    await Promise.all([run(skew(one?.id ?? "", two?.id ?? "")), run(skew(two?.id ?? "", one?.id ?? ""))]);
    expect(reads).toBe(3);
  });
});

describe("query", () => {
  test("that writes through a cast, is refused", async () => {
    const writes = query({
      handler: (ctx) => (ctx.db.message as unknown as typeof prisma.message).create({ data: text("query") }),
    });
    await expect(read(writes)).rejects.toThrow("Cannot call ctx.db.message.create in a query");
  });

  test("that writes by $queryRaw, is refused by the database", async () => {
    const writes = query({ handler: (ctx) => ctx.db.$queryRaw`DELETE FROM "messages" RETURNING "_id"::text` });
    await expect(read(writes)).rejects.toThrow(/read-only transaction/);
    const outer = mutation({ handler: (ctx) => ctx.runQuery(writes) });
    await expect(run(outer)).rejects.toThrow(/read-only transaction/);
  });

  test("that reads by $queryRaw inside a mutation, leaves the mutation able to write", async () => {
    const reads = query({ handler: (ctx) => ctx.db.$queryRaw<{ one: number }[]>`SELECT 1 AS one` });
    const outer = mutation({
      handler: async (ctx) => {
        const rows = await ctx.runQuery(reads);
        await ctx.db.message.create({ data: text("after raw") });
        return rows;
      },
    });
    expect(await run(outer)).toEqual([{ one: 1 }]);
    expect(await count("after raw")).toBe(1);
  });
});

describe("_storage", () => {
  test("cannot be written through ctx.db: by its model, by a relation, by SQL", async () => {
    const storageId = await uploadFile("abc");
    const values = { id: storageId, sha256: "0".repeat(64), size: 1, blobKey: "forged" };
    const attempts = [
      () => run(mutation({ handler: (ctx) => (ctx.db.storage as unknown as typeof prisma.storage).deleteMany() })),
      () =>
        run(
          mutation({
            handler: (ctx) => ctx.db.message.create({ data: { ...text("a"), storage: { create: values } } }),
          }),
        ),
      () => run(mutation({ handler: (ctx) => ctx.db.$executeRaw`DELETE FROM "_storage"` })),
      () => run(mutation({ handler: (ctx) => ctx.db.$executeRaw`UPDATE "_storage" SET "contentType" = 'text/html'` })),
    ];
    for (const attempt of attempts) await expect(attempt()).rejects.toThrow(/read-only/);
    expect(await prisma.storage.findUnique({ where: { id: storageId } })).toMatchObject({ contentType: "image/png" });
  });

  test("row that a mutation deletes, permits no other row's deletion", async () => {
    const [mine, other] = await Promise.all([uploadFile("mine"), uploadFile("other")]);
    const sneaky = mutation({
      handler: async (ctx) => {
        await ctx.storage.delete(mine);
        await ctx.db.$executeRaw`DELETE FROM "_storage" WHERE "_id" = ${other}::uuid`;
      },
    });
    await expect(run(sneaky)).rejects.toThrow(/read-only/);
  });
});

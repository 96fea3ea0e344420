import { TRPCError } from "@trpc/server";
import pg from "pg";
import { afterEach, describe, expect, test, vi } from "vitest";
import { pool, prisma } from "~/kit/database/database";
import { isConflict } from "~/kit/database/errors";
import { mutation, query } from "~/kit/functions/builders";
import { actionCtx, type MutationCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { env } from "~/kit/process/env";
import { blobs } from "~/kit/storage/blobs";
import { storageId } from "~/kit/storage/file";
import { deleteUnownedBlobs } from "~/kit/storage/garbage-collection";
import { uploadFile } from "./caller";
import { eventually } from "./eventually";

afterEach(() => {
  vi.restoreAllMocks();
});

const caller = createSystemContext();
const run = actionCtx(caller).runMutation;
const read = actionCtx(caller).runQuery;

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
    await deleteUnownedBlobs();
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
    const begun = () => queries.mock.calls.filter(([query]) => String(query).startsWith("BEGIN")).length;
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
        await ctx.storage.claim(storageId);
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

  test("answer CONFLICT when they lose until their time limit is over", async () => {
    vi.spyOn(env, "TRANSACTION_TIMEOUT", "get").mockReturnValue(500);
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
    expect(attempts).toBeGreaterThan(2);
  });

  test("forty increments of one counter all commit", async () => {
    await prisma.message.create({ data: text("forty", "0") });
    await Promise.all(Array.from({ length: 40 }, () => run(increment("forty"))));
    expect(await prisma.message.findFirst({ where: { author: "forty" } })).toMatchObject({ body: "40" });
  });

  test("a hundred deletes of different files of a small, freshly analysed table do not refuse each other", async () => {
    const ids = await Promise.all(Array.from({ length: 100 }, (_, n) => uploadFile(`small ${n}`)));
    await prisma.$executeRaw`ANALYZE`;
    let attempts = 0;
    const remove = mutation({
      args: { id: storageId() },
      handler: async (ctx, { id }) => {
        attempts++;
        await ctx.storage.delete(id);
      },
    });
    await Promise.all(ids.map((id) => run(remove, { id })));
    expect(await prisma.storage.count({ where: { id: { in: ids } } })).toBe(0);
    // Rows of one page may still meet in an index, but not all of them in a table.
    expect(attempts).toBeLessThan(200);
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

describe("a conflict that the handler catches", () => {
  /** A mutation whose first attempt loses to a write of somebody else's, and what it does with the row then. */
  async function losing(author: string, handle: (ctx: MutationCtx, update: ReturnType<typeof updating>) => unknown) {
    const { id } = await prisma.message.create({ data: text(author, "0") });
    let attempts = 0;
    const update = updating(id);
    const loses = mutation({
      handler: async (ctx) => {
        await ctx.db.message.findUniqueOrThrow({ where: { id } });
        if (++attempts === 1) await prisma.message.update({ where: { id }, data: { body: "theirs" } });
        return handle(ctx, update);
      },
    });
    return {
      run: () => run(loses),
      attempts: () => attempts,
      body: async () => (await prisma.message.findUniqueOrThrow({ where: { id } })).body,
    };
  }

  const updating = (id: string) =>
    mutation({ handler: (ctx) => ctx.db.message.update({ where: { id }, data: { body: "mine" } }) });

  test("around a nested mutation, decides the attempt all the same", async () => {
    const { run, attempts, body } = await losing("caught nested", async (ctx, update) => {
      await ctx.runMutation(update).catch(() => null);
      await ctx.db.message.create({ data: text("beside caught nested") });
    });
    await run();
    expect([attempts(), await body(), await count("beside caught nested")]).toEqual([2, "mine", 1]);
  });

  test("and turns into an error of its own, is not what the caller gets", async () => {
    const { run, attempts, body } = await losing("rethrown", (ctx, update) =>
      ctx.runMutation(update).catch(() => {
        throw new TRPCError({ code: "NOT_FOUND" });
      }),
    );
    await run();
    expect([attempts(), await body()]).toEqual([2, "mine"]);
  });

  test("two levels deep, decides the attempt all the same", async () => {
    const { run, attempts, body } = await losing("deep", async (ctx, update) => {
      const middle = mutation({ handler: (inner) => inner.runMutation(update).catch(() => "given up") });
      await ctx.runMutation(middle);
    });
    await run();
    expect([attempts(), await body()]).toEqual([2, "mine"]);
  });

  test("and follows by another statement, fails that one with the conflict", async () => {
    let second: unknown;
    const { run } = await losing("followed", async (ctx, update) => {
      await ctx.runMutation(update).catch(() => null);
      await ctx.db.message.count().catch((error) => {
        second ??= error;
      });
    });
    await run();
    expect(isConflict(second)).toBe(true);
  });
});

describe("work that outlives the handler", () => {
  const late = /after the function had returned/;

  test("begun before it returned, belongs to the transaction and is awaited", async () => {
    const begins = mutation({
      handler: (ctx) => {
        void ctx.db.message.create({ data: text("begun before") }).then(() => undefined);
        return "done";
      },
    });
    expect(await run(begins)).toBe("done");
    expect(await count("begun before")).toBe(1);
  });

  test("that goes on in a chain nobody awaits, fails the mutation, which commits none of it", async () => {
    const chains = mutation({
      handler: (ctx) => {
        const create = () => ctx.db.message.create({ data: text("chained") });
        create()
          .then(create)
          .catch(() => undefined);
        return "done";
      },
    });
    await expect(run(chains)).rejects.toThrow(late);
    expect(await count("chained")).toBe(0);
  });

  test.each(["a statement", "a nested mutation"])(
    "that begins with %s later, is refused with a sentence",
    async (what) => {
      const inner = mutation({ handler: (ctx) => ctx.db.message.create({ data: text("too late") }) });
      let refused: Promise<unknown> | undefined;
      let begin: () => void = () => undefined;
      const outlives = mutation({
        handler: (ctx) => {
          begin = () => {
            refused =
              what === "a statement"
                ? ctx.db.message.create({ data: text("too late") }).then()
                : ctx.runMutation(inner);
            refused.catch(() => undefined);
          };
        },
      });
      await run(outlives);
      begin();
      await expect(refused).rejects.toThrow(late);
      expect(await count("too late")).toBe(0);
      // The function log, too, borrows a connection now and then.
      await eventually(() => expect(pool.idleCount).toBe(pool.totalCount));
    },
  );

  test("of a query, is refused too", async () => {
    let ask: () => Promise<unknown> = async () => null;
    await read(
      query({
        handler: (ctx) => {
          ask = async () => ctx.db.message.count();
        },
      }),
    );
    await expect(ask()).rejects.toThrow(late);
  });

  test("for ever, ends with the time limit and gives its connection back", async () => {
    vi.spyOn(env, "TRANSACTION_TIMEOUT", "get").mockReturnValue(200);
    const hangs = mutation({
      handler: async (ctx) => {
        await ctx.db.message.create({ data: text("hangs") });
        await new Promise(() => undefined);
      },
    });
    await expect(run(hangs)).rejects.toMatchObject({ code: "TIMEOUT", message: expect.stringContaining("0.2 s") });
    await eventually(() => expect(pool.idleCount).toBe(pool.totalCount));
    expect(await count("hangs")).toBe(0);
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

  test("reads all of it at one moment: that of its first statement", async () => {
    const id = await uploadFile("one moment");
    const { id: messageId } = await prisma.message.create({ data: { ...text("one moment"), storageId: id } });
    const reads = query({
      handler: async (ctx) => {
        const before = await ctx.db.message.count({ where: { author: "one moment" } });
        await prisma.message.create({ data: text("one moment") });
        await prisma.message.update({ where: { id: messageId }, data: { body: "changed" } });
        const after = await ctx.db.message.findMany({ where: { author: "one moment" }, include: { storage: true } });
        const nested = await ctx.runQuery(counted);
        return [before, after.length, after[0]?.body, after[0]?.storage?.id, nested];
      },
    });
    const counted = query({ handler: (ctx) => ctx.db.message.count({ where: { author: "one moment" } }) });
    expect(await read(reads)).toEqual([1, 1, "hello", id, 1]);
  });

  test.each([
    "COMMIT; DELETE FROM messages",
    "SELECT 1; DELETE FROM messages",
    "COMMIT",
    ";; /* a /* nested */ comment */ -- another\n rollback",
    "SET default_transaction_read_only = off",
    "set session characteristics as transaction read write",
    "RESET ALL",
  ])("that sends %j, is refused and deletes nothing", async (sql) => {
    await prisma.message.create({ data: text("stays") });
    const before = await prisma.message.count();
    const sends = query({
      handler: async (ctx) => {
        await ctx.db.message.count();
        await ctx.db.$queryRawUnsafe(sql);
        return ctx.db.$queryRawUnsafe("DELETE FROM messages RETURNING 1");
      },
    });
    await expect(read(sends)).rejects.toThrow();
    await expect(run(mutation({ handler: (ctx) => ctx.runQuery(sends) }))).rejects.toThrow();
    expect(await prisma.message.count()).toBe(before);
  });

  test("by SQL that takes longer than five seconds while the pool is busy, is answered", async () => {
    const slow = query({ handler: (ctx) => ctx.db.$queryRaw<{ one: number }[]>`SELECT 1 AS one FROM pg_sleep(5.5)` });
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => (n < 2 ? read(slow) : read(slowly(0.2)))));
    expect(answers[0]).toEqual([{ one: 1 }]);
  });

  const slowly = (seconds: number) =>
    query({ handler: (ctx) => ctx.db.$queryRaw<{ one: number }[]>`SELECT 1 AS one FROM pg_sleep(${seconds})` });

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

describe("a mutation's SQL", () => {
  test.each([
    "COMMIT",
    "BEGIN",
    "ROLLBACK TO SAVEPOINT s",
    "SET TIME ZONE 'Asia/Tokyo'",
    "DISCARD ALL",
    "PREPARE TRANSACTION 'a'",
  ])("%s, is refused with a sentence, and nothing is committed", async (sql) => {
    const sends = mutation({
      handler: async (ctx) => {
        await ctx.db.message.create({ data: text("in part") });
        await ctx.db.$executeRawUnsafe(sql);
      },
    });
    await expect(run(sends)).rejects.toThrow(/Cannot run \w+ by ctx.db/);
    expect(await count("in part")).toBe(0);
  });

  test("that takes the connection to another time zone, takes it from nobody else", async () => {
    const travels = mutation({
      handler: (ctx) => ctx.db.$queryRaw`SELECT set_config('TimeZone', 'Asia/Tokyo', false)`,
    });
    await run(travels);
    const zones = await Promise.all(Array.from({ length: 10 }, () => pool.sql("SHOW TimeZone")));
    expect(new Set(zones.flat().map((row) => JSON.stringify(row)))).toEqual(new Set(['{"TimeZone":"UTC"}']));
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

  test.each([
    ["an update by a relation", { update: { contentType: "text/html" } }],
    ["a deletion by a relation", { delete: true }],
    [
      "an upsert by a relation",
      {
        upsert: {
          update: { owner: "forged" },
          create: { id: "01990000-0000-7000-8000-000000000008", sha256: "0".repeat(64), size: 1, blobKey: "forged" },
        },
      },
    ],
  ])("row that a mutation claimed, is closed to %s", async (_, change) => {
    const storageId = await uploadFile("claimed");
    const forges = mutation({
      handler: async (ctx) => {
        await ctx.storage.claim(storageId);
        const { id } = await ctx.db.message.create({ data: { ...text("forges"), storageId } });
        await ctx.db.message.update({ where: { id }, data: { storage: change } });
      },
    });
    await expect(run(forges)).rejects.toThrow(/read-only/);
    expect(await prisma.storage.findUnique({ where: { id: storageId } })).toMatchObject({ contentType: "image/png" });
    expect(await prisma.unownedBlob.count()).toBe(0);
  });

  test("permission that a statement did not use up, ends with it all the same", async () => {
    const storageId = await uploadFile("not mine");
    const sneaky = mutation({
      handler: async (ctx) => {
        // Nobody's any more, and so not the caller's: the claim writes no row.
        await ctx.storage.claim(storageId);
        await ctx.storage.claim(storageId).catch(() => null);
        await ctx.db.$executeRaw`DELETE FROM "_storage" WHERE "_id" = ${storageId}::uuid`;
      },
    });
    await expect(run(sneaky)).rejects.toThrow(/read-only/);
  });

  test.each(["_users", "_sessions", "_accounts", "_jwks", "_system_state"])(
    "%s cannot be written by a mutation's SQL",
    async (table) => {
      const writes = mutation({ handler: (ctx) => ctx.db.$executeRawUnsafe(`DELETE FROM "${table}"`) });
      await expect(run(writes)).rejects.toThrow(/read-only/);
    },
  );

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

describe("a row that refers to a file", () => {
  const save = (storageId: string, prepare: (ctx: MutationCtx) => unknown = () => null, author = "refers") =>
    run(
      mutation({
        handler: async (ctx) => {
          await prepare(ctx);
          return (await ctx.db.message.create({ data: { ...text(author), storageId } })).id;
        },
      }),
    );
  const refused = /messages\.storageId was set to file .* ctx\.storage\.claim\(id\).*ctx\.storage\.reuse\(id\)/;

  test("that the mutation did not claim, cannot be committed: the error names the column and what to call", async () => {
    const storageId = await uploadFile("somebody's");
    await expect(save(storageId)).rejects.toThrow(refused);
    const { id } = await prisma.message.create({ data: text("updated later") });
    const updates = mutation({ handler: (ctx) => ctx.db.message.update({ where: { id }, data: { storageId } }) });
    await expect(run(updates)).rejects.toThrow(refused);
    const connects = mutation({
      handler: (ctx) => ctx.db.message.update({ where: { id }, data: { storage: { connect: { id: storageId } } } }),
    });
    await expect(run(connects)).rejects.toThrow(refused);
    const sql = mutation({
      handler: (ctx) => ctx.db.$executeRaw`UPDATE messages SET "storageId" = ${storageId}::uuid`,
    });
    await expect(run(sql)).rejects.toThrow(refused);
    expect(await prisma.message.count({ where: { storageId } })).toBe(0);
  });

  test("that it claimed, before or after, or reused, is committed", async () => {
    const [before, after, shared] = await Promise.all([
      uploadFile("before"),
      uploadFile("after"),
      uploadFile("shared"),
    ]);
    await save(before, (ctx) => ctx.storage.claim(before));
    await run(
      mutation({
        handler: async (ctx) => {
          await ctx.db.message.create({ data: { ...text("refers"), storageId: after } });
          await ctx.storage.claim(after);
        },
      }),
    );
    await save(shared, (ctx) => ctx.storage.reuse(shared));
    expect(await prisma.message.count({ where: { storageId: { in: [before, after, shared] } } })).toBe(3);
  });

  test("that the row had already, stays; that a claim which was undone named, is refused", async () => {
    const storageId = await uploadFile("had");
    const id = await save(storageId, (ctx) => ctx.storage.claim(storageId));
    await run(
      mutation({ handler: (ctx) => ctx.db.message.update({ where: { id }, data: { body: "new", storageId } }) }),
    );
    const undone = await uploadFile("undone");
    const claims = mutation({
      handler: async (ctx) => {
        await ctx.storage.claim(undone);
        throw new Error("undone");
      },
    });
    await expect(save(undone, (ctx) => ctx.runMutation(claims).catch(() => null))).rejects.toThrow(refused);
  });

  test("that there is none, cannot be reused", async () => {
    const id = "01990000-0000-7000-8000-000000000009";
    await expect(save(id, (ctx) => ctx.storage.reuse(id))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("is nobody's business outside of mutations, nor when the file is deleted", async () => {
    const storageId = await uploadFile("outside");
    const { id } = await prisma.message.create({ data: { ...text("outside"), storageId } });
    await run(mutation({ handler: (ctx) => ctx.storage.delete(storageId) }));
    expect(await prisma.message.findUnique({ where: { id } })).toMatchObject({ storageId: null });
  });
});

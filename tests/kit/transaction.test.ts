import pg from "pg";
import { afterEach, describe, expect, test, vi } from "vitest";
import { pool, prisma } from "~/kit/database/database";
import { mutation, query } from "~/kit/functions/builders";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { env } from "~/kit/process/env";
import { blobs } from "~/kit/storage/blobs";
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

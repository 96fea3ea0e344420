import { TRPCError } from "@trpc/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import { prisma } from "~/kit/database/database";
import { isConflict } from "~/kit/database/errors";
import { mutation } from "~/kit/functions/builders";
import { actionCtx, type MutationCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { env } from "~/kit/process/env";
import { storageId } from "~/kit/storage/file";
import { uploadFile } from "./caller";

afterEach(() => {
  vi.restoreAllMocks();
});

const caller = createSystemContext();
const run = actionCtx(caller).runMutation;
const _read = actionCtx(caller).runQuery;

const text = (author: string, body = "hello") => ({ author, body, format: "text" as const });
const count = (author: string) => prisma.message.count({ where: { author } });

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
  /** A mutation whose first attempt loses to a write by another one, and what it then does with the row. */
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

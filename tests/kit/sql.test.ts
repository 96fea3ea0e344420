import { describe, expect, test } from "vitest";
import { pool, prisma } from "~/kit/database/database";
import { mutation, query } from "~/kit/functions/builders";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { uploadFile } from "./caller";

const caller = createSystemContext();
const run = actionCtx(caller).runMutation;
const read = actionCtx(caller).runQuery;

const text = (author: string, body = "hello") => ({ author, body, format: "text" as const });
const count = (author: string) => prisma.message.count({ where: { author } });

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

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { app } from "~/functions";
import * as messages from "~/functions/messages";
import { pool, prisma } from "~/kit/database/database";
import { mutation } from "~/kit/functions/builders";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { serveHttp } from "~/kit/http/serve-http";
import { runDueJobs } from "~/kit/jobs/runner";
import { onChange } from "~/kit/live/listener";
import { uploadFile } from "../caller";

const { http } = app;

const run = actionCtx(createSystemContext()).runMutation;
const text = { author: "a", body: "b", format: "text" as const };

let heard: (string | null)[] = [];
let onHeard: () => void = () => undefined;
let stop: () => void;

beforeAll(async () => {
  await new Promise<void>((resolve) => {
    onHeard = resolve;
    stop = onChange((table) => {
      heard.push(table);
      onHeard();
    });
  });
});
afterAll(() => stop());
beforeEach(async () => {
  await announced(async () => undefined);
});

/**
 * The tables that `work` announced, in order: everything that arrived before a change that was made after it, of a table that
 * nothing else here changes.
 */
async function announced(work: () => Promise<unknown>): Promise<(string | null)[]> {
  heard = [];
  await work();
  const last = new Promise<void>((resolve) => {
    onHeard = () => heard.at(-1) === "orders" && resolve();
  });
  await pool.query("TRUNCATE orders");
  await last;
  return heard.slice(0, -1);
}

const insert = "INSERT INTO messages (_id, author, body, format) VALUES (gen_random_uuid(), 'a', 'b', 'text')";

describe("a change is announced", () => {
  test("of a mutation, once however many statements it has", async () => {
    const many = mutation({
      handler: async (ctx) => {
        await ctx.db.message.create({ data: text });
        await ctx.db.message.create({ data: text });
      },
    });
    expect(await announced(() => run(many))).toEqual(["messages"]);
  });

  test("of nested mutations, once, at the outer commit", async () => {
    const inner = mutation({ handler: (ctx) => ctx.db.message.create({ data: text }) });
    let before: (string | null)[] = [];
    const outer = mutation({
      handler: async (ctx) => {
        await ctx.runMutation(inner);
        // The listener learns of what another connection commits now, but not of what this one has done so far.
        before = await announced(async () => undefined);
        await ctx.runMutation(inner);
      },
    });
    expect(await announced(() => run(outer))).toEqual(["orders", "messages"]);
    expect(before).toEqual([]);
  });

  test("of an upload", async () => {
    expect(await announced(() => uploadFile("bytes"))).toEqual(["_storage"]);
  });

  test("of an HTTP action", async () => {
    const body = JSON.stringify({ author: "a", body: "b" });
    const post = () => serveHttp(http)(new Request("http://localhost/http/postMessage", { method: "POST", body }));
    expect(new Set(await announced(post))).toEqual(new Set(["messages"]));
  });

  test("of a scheduled function", async () => {
    await run(mutation({ handler: (ctx) => ctx.scheduler.runAfter(0, messages.sendOne, text) }));
    expect(await announced(() => runDueJobs(1_000))).toContain("messages");
  });

  test("of SQL that bypasses Prisma", async () => {
    expect(await announced(() => pool.query(insert))).toEqual(["messages"]);
    expect(await announced(() => pool.query("UPDATE messages SET body = 'c'"))).toEqual(["messages"]);
    expect(await announced(() => pool.query("DELETE FROM messages"))).toEqual(["messages"]);
    expect(await announced(() => pool.query("TRUNCATE messages"))).toEqual(["messages"]);
  });

  test("of every table that a delete cascades to, or nulls", async () => {
    const storageId = await uploadFile("bytes");
    await prisma.file.create({ data: { name: "n", size: 5, storageId } });
    await prisma.message.create({ data: { ...text, storageId } });
    const tables = await announced(() => run(mutation({ handler: (ctx) => ctx.storage.delete(storageId) })));
    expect(new Set(tables)).toEqual(new Set(["_storage", "files", "messages"]));
  });

  test("of a table that a migration adds", async () => {
    await pool.query("CREATE TABLE posts (id int); SELECT watch_tables()");
    expect(await announced(() => pool.query("INSERT INTO posts VALUES (1)"))).toEqual(["posts"]);
  });

  test("of a table in partitions", async () => {
    await pool.query(`CREATE TABLE events (id int) PARTITION BY RANGE (id);
      CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (9); SELECT watch_tables()`);
    expect(await announced(() => pool.query("INSERT INTO events VALUES (1)"))).toEqual(["events"]);
  });
});

describe("nothing is announced", () => {
  test("of a mutation that throws", async () => {
    const throws = mutation({
      handler: async (ctx) => {
        await ctx.db.message.create({ data: text });
        throw new Error("refused");
      },
    });
    expect(await announced(() => run(throws).catch(() => undefined))).toEqual([]);
  });

  test("of a nested mutation that throws", async () => {
    const inner = mutation({
      handler: async (ctx) => {
        await ctx.db.file.deleteMany();
        await ctx.db.message.create({ data: text });
        throw new Error("refused");
      },
    });
    const outer = mutation({ handler: (ctx) => ctx.runMutation(inner).catch(() => undefined) });
    expect(await announced(() => run(outer))).toEqual([]);
  });

  test("of statements that touch no row", async () => {
    expect(await announced(() => pool.query("UPDATE messages SET body = 'c' WHERE false"))).toEqual([]);
    expect(await announced(() => pool.query("DELETE FROM messages WHERE false"))).toEqual([]);
    expect(await announced(() => pool.query("INSERT INTO messages SELECT * FROM messages WHERE false"))).toEqual([]);
  });

  test("of the kit's bookkeeping", async () => {
    const sql = `INSERT INTO "_system_state" VALUES ('k', '1'); INSERT INTO "_unowned_blobs" VALUES ('b', now())`;
    expect(await announced(() => pool.query(sql))).toEqual([]);
  });
});

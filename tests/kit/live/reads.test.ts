import { describe, expect, test } from "vitest";
import { z } from "zod";
import { internalQuery, query, t } from "~/kit/functions/builders";
import type { QueryCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { createRouter, serveRouter } from "~/kit/functions/router";
import { formatReads, type Models, tablesRead } from "~/kit/live/reads";

const id = "01990000-0000-7000-8000-000000000000";

/** The tables that a query notes when this is its handler. */
async function readsOf(handler: (ctx: QueryCtx) => unknown): Promise<string[]> {
  const caller = createSystemContext();
  const module = { run: query({ handler: async (ctx) => void (await handler(ctx)) }) };
  await t.createCallerFactory(createRouter({ module }))(caller).module.run();
  return [...(caller.reads.get("module.run") ?? [])]
    .filter((table) => !/^_[A-Z]|^_(image|thumbnail)$/.test(table))
    .sort();
}

const inner = internalQuery({ args: { id: z.uuid() }, handler: (ctx, where) => ctx.db.file.findMany({ where }) });

const cases: [name: string, tables: string[], handler: (ctx: QueryCtx) => unknown][] = [
  ["nothing", [], () => 1],
  ["findMany", ["messages"], ({ db }) => db.message.findMany()],
  ["findUnique", ["_storage"], ({ db }) => db.storage.findUnique({ where: { id } })],
  ["count", ["files"], ({ db }) => db.file.count()],
  ["aggregate", ["files"], ({ db }) => db.file.aggregate({ _sum: { size: true } })],
  ["groupBy", ["messages"], ({ db }) => db.message.groupBy({ by: "author", _count: { _all: true } })],
  ["two models", ["files", "messages"], ({ db }) => Promise.all([db.message.count(), db.file.count()])],
  ["include", ["_storage", "messages"], ({ db }) => db.message.findMany({ include: { storage: true } })],
  [
    "include below include",
    ["_storage", "files", "messages"],
    ({ db }) => db.message.findMany({ include: { storage: { include: { files: { take: 1 } } } } }),
  ],
  [
    "select below select",
    ["_storage", "files", "messages"],
    ({ db }) => db.message.findMany({ select: { storage: { select: { files: { select: { id: true } } } } } }),
  ],
  ["where on a relation", ["_storage", "files"], ({ db }) => db.file.findMany({ where: { storage: { size: 1 } } })],
  [
    "where some, below OR and NOT",
    ["_storage", "files", "messages"],
    ({ db }) => db.storage.findMany({ where: { OR: [{ NOT: { messages: { some: {} } } }, { files: { none: {} } }] } }),
  ],
  ["orderBy", ["_storage", "files"], ({ db }) => db.file.findMany({ orderBy: { storage: { size: "asc" } } })],
  [
    "_count of one relation",
    ["_storage", "messages"],
    ({ db }) => db.storage.findMany({ select: { _count: { select: { messages: true } } } }),
  ],
  [
    "_count of all relations",
    ["_storage", "_storage_variants", "files", "images", "messages"],
    ({ db }) => db.storage.findMany({ include: { _count: true } }),
  ],
  ["calls in a chain: any", ["*"], ({ db }) => db.message.findUnique({ where: { id } }).storage()],
  ["SQL: any", ["*"], ({ db }) => db.$queryRaw`SELECT 1`],
  ["unsafe SQL: any", ["*"], ({ db }) => db.$queryRawUnsafe("SELECT 1")],
  ["storage.getUrl", ["_storage"], ({ storage }) => storage.getUrl(id)],
  ["storage.getMetadata", ["_storage"], ({ storage }) => storage.getMetadata(id)],
  ["db.system.get", ["_storage"], ({ db }) => db.system.get(id)],
  ["db.system.query _storage", ["_storage"], ({ db }) => db.system.query("_storage").take(1)],
  [
    "db.system.query _scheduled_functions",
    ["_scheduled_functions"],
    ({ db }) => db.system.query("_scheduled_functions").first(),
  ],
  [
    "runQuery",
    ["files", "messages"],
    async ({ db, runQuery }) => [await db.message.count(), await runQuery(inner, { id })],
  ],
];

describe("what a query reads", () => {
  test.each(cases)("%s → %j", async (_, tables, handler) => {
    expect(await readsOf(handler)).toEqual(tables);
  });

  test("a relation of many to many → the table between them too", () => {
    const models: Models = {
      Post: { dbName: "posts", fields: [{ name: "tags", type: "Tag", relationName: "PostToTag" }] },
      Tag: { dbName: null, fields: [{ name: "posts", type: "Post", relationName: "PostToTag" }] },
    };
    expect([...tablesRead("post", [[{ include: { tags: true } }]], models)]).toEqual(["posts", "_PostToTag", "Tag"]);
  });

  test("a model that Prisma does not know → any", () => {
    expect([...tablesRead("nothing", [[{}]])]).toEqual(["*"]);
  });
});

describe("Live-Reads", () => {
  const module = {
    files: query({ handler: (ctx) => ctx.db.file.count() }),
    nothing: query({ handler: () => 1 }),
    fails: query({
      handler: async (ctx) => {
        await ctx.db.message.count();
        throw new Error("refused");
      },
    }),
  };
  const serve = serveRouter(createRouter({ module }));

  test("tells them of each query of a batch, of failed ones too", async () => {
    const response = await serve(
      new Request("http://app.test/api/trpc/module.files,module.nothing,module.fails?batch=1"),
    );
    const reads = [...new URLSearchParams(response.headers.get("Live-Reads") ?? "")];
    expect(reads).toEqual([
      ["module.files", "files"],
      ["module.nothing", ""],
      ["module.fails", "messages"],
    ]);
  });

  test("is fit for a header whatever tables are called", () => {
    expect(formatReads(new Map([["a.b", new Set(["Größe\r\nSet-Cookie: x"])]]))).toMatch(/^[\x21-\x7e]+$/);
  });
});

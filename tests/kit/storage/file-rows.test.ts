import { describe, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { mutation } from "~/kit/functions/builders";
import { actionCtx, type MutationCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { uploadFile } from "../caller";

const caller = createSystemContext();
const run = actionCtx(caller).runMutation;
const _read = actionCtx(caller).runQuery;

const text = (author: string, body = "hello") => ({ author, body, format: "text" as const });

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
        // The file has no owner any more, so it is not the caller's, and the claim writes no row.
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

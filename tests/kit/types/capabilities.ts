// Compiled by `npm run check`, never run: what a builder does not have must not compile.
import { z } from "zod";
import type { AppRouter } from "~/functions";
import * as messages from "~/functions/messages";
import { action, mutation, query } from "~/kit/functions/builders";

query({
  handler: async (ctx) => {
    await ctx.db.message.findMany();
    await ctx.db.storage.findMany();
    // @ts-expect-error a query cannot write
    await ctx.db.message.create({ data: { author: "a", body: "b", format: "text" } });
    // @ts-expect-error nor by raw SQL
    await ctx.db.$executeRaw`DELETE FROM messages`;
    // @ts-expect-error nor delete files
    await ctx.storage.delete("id");
    // @ts-expect-error nor run mutations
    await ctx.runMutation(messages.sendMessage, { author: "a", body: "b" });
  },
});

mutation({
  handler: async (ctx) => {
    await ctx.db.message.create({ data: { author: "a", body: "b", format: "text" } });
    await ctx.storage.delete("id");
    // @ts-expect-error bytes are stored by actions
    await ctx.storage.store(new Blob());
    // @ts-expect-error and read by actions
    await ctx.storage.get("id");
    // @ts-expect-error system tables are read-only
    await ctx.db.storage.deleteMany();
    // @ts-expect-error and the kit's own are hidden
    await ctx.db.unownedBlob.findMany();
    // @ts-expect-error a mutation is one transaction already
    await ctx.db.$transaction([]);
    // @ts-expect-error actions are not run inside a transaction
    await ctx.runAction();
  },
});

action({
  handler: async (ctx) => {
    await ctx.storage.store(new Blob());
    // @ts-expect-error an action has no database
    ctx.db;
    // @ts-expect-error runQuery takes queries
    await ctx.runQuery(messages.sendMessage, { author: "a", body: "b" });
    // @ts-expect-error arguments are those of the function
    await ctx.runMutation(messages.sendMessage, { author: "a" });
    const id: string = await ctx.runMutation(messages.sendMessage, { author: "a", body: "b" });
    const { page } = await ctx.runQuery(messages.list);
    const text: string | undefined = page[0]?.body;
    return { id, text };
  },
});

const userMutation = mutation.use(() => ({ user: "ann" }));
userMutation({
  args: { count: z.number() },
  handler: (ctx, { count }) => {
    const user: string = ctx.user;
    // @ts-expect-error arguments have the types of their shape
    const wrong: string = count;
    return { user, wrong };
  },
});

query({
  returns: z.object({ body: z.string() }),
  handler: async (ctx) => ctx.db.message.findFirstOrThrow(),
});

query({
  args: { body: z.string() },
  returns: z.object({ length: z.number() }),
  handler: (_, { body }) => ({ length: body.length }),
});

query({
  // @ts-expect-error the handler returns something else
  returns: z.object({ body: z.number() }),
  handler: async (ctx) => ctx.db.message.findFirstOrThrow(),
});

type Listed = AppRouter["messages"]["list"]["_def"]["$types"]["output"]["page"][number];
const listed: Pick<Listed, "_id" | "_creationTime"> = { _id: "id", _creationTime: 0 };
// @ts-expect-error rows reach callers as documents
type Renamed = Listed["id"];

export type { Renamed };
export { listed };

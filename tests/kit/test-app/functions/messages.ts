import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { internalMutation, internalQuery, mutation, query } from "~/kit";
import { id, type MutationCtx, pageArgs, paginate, requireIdentity, storageId } from "~/kit/server";

export const author = z.string().trim().min(1).max(100);

/** Returns a page of messages, newest last. Without a cursor it is the latest page. */
export const list = query({
  args: pageArgs,
  handler: async (ctx, page) => {
    const { rows, nextCursor } = await paginate(page, (keyset) =>
      ctx.db.message.findMany({ ...keyset, orderBy: { id: "desc" } }),
    );
    const me = await ctx.auth.getUserIdentity();
    const messages = rows.map(async ({ owner, ...message }) => ({
      ...message,
      isMine: owner !== null && owner === me?.tokenIdentifier,
      url: message.storageId ? await ctx.storage.getUrl(message.storageId) : null,
    }));
    return { page: (await Promise.all(messages)).reverse(), nextCursor };
  },
});

export const sendMessage = mutation({
  args: { body: z.string().trim().min(1).max(10_000), author },
  handler: async (ctx, { body, author }) => {
    await ctx.limitRate("messages");
    const message = await ctx.db.message.create({ data: { body, author, format: "text", owner: await ownerOf(ctx) } });
    return message.id;
  },
});

export const generateUploadUrl = mutation({
  // `maxSize` is in bytes. Anyone may upload here.
  handler: (ctx) => ctx.storage.generateUploadUrl({ maxSize: 5 * 1024 ** 3 }),
});

export const sendImage = mutation({
  args: { storageId: storageId(), author },
  handler: async (ctx, { storageId, author }) => {
    await ctx.limitRate("messages");
    const file = await ctx.storage.claim(storageId);
    if (!file.contentType?.startsWith("image/")) {
      throw new TRPCError({
        code: "BAD_REQUEST",
        message: `Only images can be sent, not ${file.contentType ?? "a file without a type"}`,
      });
    }
    if (/^image\/(hei[cf](-sequence)?|tiff|jp2|vnd\.adobe\.photoshop)\b/i.test(file.contentType)) {
      const message = `Browsers do not show ${file.contentType}. Send the picture as JPEG, PNG, WebP or AVIF.`;
      throw new TRPCError({ code: "BAD_REQUEST", message });
    }
    const message = await ctx.db.message.create({
      data: { body: storageId, storageId, author, format: "image", owner: await ownerOf(ctx) },
    });
    return message.id;
  },
});

/** Only the sender of a message can delete it. */
export const deleteMessage = mutation.use(requireIdentity)({
  args: { messageId: id("message") },
  handler: async (ctx, { messageId }) => {
    const where = { id: messageId, owner: ctx.identity.tokenIdentifier };
    const message = await ctx.db.message.findFirst({ where });
    if (!message) throw new TRPCError({ code: "NOT_FOUND", message: `There is no message ${messageId} of yours` });
    await ctx.db.message.delete({ where });
    // Other rows may reference the image. Garbage collection deletes it when none does.
  },
});

const ownerOf = async (ctx: Pick<MutationCtx, "auth">) => (await ctx.auth.getUserIdentity())?.tokenIdentifier ?? null;

/** Sends a message for the HTTP API. The text says where it comes from. */
export const sendOne = internalMutation({
  args: { body: z.string().trim().min(1).max(10_000), author },
  handler: (ctx, { body, author }) => ctx.runMutation(sendMessage, { author, body: `Sent via HTTP action: ${body}` }),
});

/** The latest 100 messages of an author, newest last. */
export const listByAuthor = internalQuery({
  args: { author: z.string() },
  handler: async (ctx, { author }) => {
    const messages = await ctx.db.message.findMany({ where: { author }, orderBy: { id: "desc" }, take: 100 });
    return messages.reverse();
  },
});

/** Whether an image message shows this file. */
export const isShown = internalQuery({
  args: { storageId: storageId() },
  handler: async (ctx, { storageId }) => (await ctx.db.message.findFirst({ where: { storageId } })) !== null,
});

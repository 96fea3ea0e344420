import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { internalMutation, internalQuery, mutation, query } from "~/kit";
import {
  type Id,
  id,
  type MutationCtx,
  pageArgs,
  paginate,
  type QueryCtx,
  requireIdentity,
  storageId,
} from "~/kit/server";

export const author = z.string().trim().min(1).max(100);
const pixels = z.int().min(1).max(65_535).optional();

/** Returns a page of messages, newest last. Without a cursor it is the latest page. */
export const list = query({
  args: pageArgs,
  handler: async (ctx, page) => {
    const { rows, nextCursor } = await paginate(page, (keyset) =>
      ctx.db.message.findMany({ ...keyset, orderBy: { id: "desc" } }),
    );
    const me = await ctx.auth.getUserIdentity();
    const images = rows.flatMap(({ storageId }) => (storageId === null ? [] : [imageOf(ctx, storageId)]));
    const byId = new Map(await Promise.all(images));
    const messages = rows.map(({ owner, width, height, ...message }) => {
      const { url = null, image = null } = byId.get(message.storageId ?? "") ?? {};
      return {
        ...message,
        isMine: owner !== null && owner === me?.tokenIdentifier,
        url,
        /** The picture in the sizes that pages show. */
        image: image && width !== null && height !== null ? { width, height, ...image } : image,
      };
    });
    return { page: messages.reverse(), nextCursor };
  },
});

const imageOf = async (ctx: QueryCtx, id: Id<"_storage">) => {
  const [url, image] = await Promise.all([ctx.storage.getUrl(id), ctx.storage.getImage(id)]);
  return [id, { url, image }] as const;
};

export const sendMessage = mutation({
  args: { body: z.string().trim().min(1).max(10_000), author },
  returns: id("message"),
  handler: async (ctx, { body, author }) => {
    await ctx.limitRate("messages");
    const message = await ctx.db.message.create({ data: { body, author, format: "text", owner: await ownerOf(ctx) } });
    return message.id;
  },
});

export const generateUploadUrl = mutation({
  returns: z.string(),
  // `maxSize` is in bytes. Callers without an identity may upload here, too.
  handler: (ctx) => ctx.storage.generateUploadUrl({ maxSize: 5 * 1024 ** 3 }),
});

/** @throws TRPCError `BAD_REQUEST` for a type that pages do not show as a picture */
export function refuseUnshown(contentType: string | null): void {
  const refuse = (message: string) => new TRPCError({ code: "BAD_REQUEST", message });
  if (!contentType || !/^image\//i.test(contentType))
    throw refuse(`Only images can be sent, not ${contentType || "a file without a type"}.`);
  if (/^image\/(hei[cf](-sequence)?|tiff|jp2|vnd\.adobe\.photoshop)\b/i.test(contentType))
    throw refuse(`Browsers do not show ${contentType}. Send the picture as JPEG, PNG, WebP or AVIF.`);
}

export const sendImage = mutation({
  // The size is what the sender's browser shows, so that the picture has its place at once.
  args: { storageId: storageId(), author, width: pixels, height: pixels },
  returns: id("message"),
  handler: async (ctx, { storageId, author, width, height }) => {
    await ctx.limitRate("messages");
    const { contentType, detectedType } = await ctx.storage.claim(storageId);
    refuseUnshown(contentType);
    // The bytes decide, where they are of a known type. Those of an SVG are XML.
    if (detectedType && detectedType !== "application/xml") refuseUnshown(detectedType);
    const message = await ctx.db.message.create({
      data: { body: storageId, storageId, author, format: "image", owner: await ownerOf(ctx), width, height },
    });
    return message.id;
  },
});

/** Deletes a message. Only its sender can. */
export const deleteMessage = mutation.use(requireIdentity)({
  args: { messageId: id("message") },
  handler: async (ctx, { messageId }) => {
    const where = { id: messageId, owner: ctx.identity.tokenIdentifier };
    const message = await ctx.db.message.findFirst({ where });
    if (!message)
      throw new TRPCError({
        code: "NOT_FOUND",
        message: `Message ${messageId} does not exist or belongs to someone else.`,
      });
    await ctx.db.message.delete({ where });
    // Its image stays, because other rows may reference it. Garbage collection deletes it when none does.
  },
});

const ownerOf = async (ctx: Pick<MutationCtx, "auth">) => (await ctx.auth.getUserIdentity())?.tokenIdentifier ?? null;

/** Sends a message for the HTTP API. The text says where it comes from. */
export const sendOne = internalMutation({
  args: { body: z.string().trim().min(1).max(10_000), author },
  handler: (ctx, { body, author }) => ctx.runMutation(sendMessage, { author, body: `Sent via HTTP action: ${body}` }),
});

/** Sends the pictures and the text of a form, all or none. */
export const sendForm = internalMutation({
  args: { author, body: z.string().trim().max(1_000), storageIds: z.array(storageId()) },
  handler: async (ctx, { author, body, storageIds }) => {
    for (const storageId of storageIds) await ctx.runMutation(sendImage, { storageId, author });
    if (body) await ctx.runMutation(sendMessage, { author, body });
  },
});

/** Returns the latest 100 messages of an author, newest last. */
export const listByAuthor = internalQuery({
  args: { author: z.string() },
  handler: async (ctx, { author }) => {
    const omit = { width: true, height: true };
    const messages = await ctx.db.message.findMany({ where: { author }, omit, orderBy: { id: "desc" }, take: 100 });
    return messages.reverse();
  },
});

/** Returns whether a message shows this file. */
export const isShown = internalQuery({
  args: { storageId: storageId() },
  handler: async (ctx, { storageId }) => (await ctx.db.message.findFirst({ where: { storageId } })) !== null,
});

import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { action, internalAction, internalMutation, internalQuery, mutation, query } from "~/kit";
import { fetchPublic, pageArgs, paginate, requireIdentity, storageId } from "~/kit/server";
import { imageTypeOf, imageTypes, makeThumbnail, refuseTooManyPixels } from "./thumbnail";

const userQuery = query.use(requireIdentity);
const userMutation = mutation.use(requireIdentity);
const userAction = action.use(requireIdentity);

/** Bytes of the largest image. */
const maxSize = 20 * 1024 * 1024;
const details = { title: z.string().trim().min(1).max(200), description: z.string().trim().max(2000).optional() };
const imageId = z.uuid();

export const generateUploadUrl = userMutation({
  handler: (ctx) => ctx.storage.generateUploadUrl({ maxSize, contentTypes: [...imageTypes] }),
});

/** Saves an upload as an image, if its bytes are one, whatever type it was sent with. */
export const saveImage = userAction({
  args: { storageId: storageId(), ...details },
  handler: async (ctx, { storageId, ...details }) => {
    await ctx.limitRate("images");
    const blob = await ctx.storage.get(storageId);
    if (blob && blob.size > maxSize) throw tooLarge();
    const actualType = blob && (await imageTypeOf(blob));
    if (blob && actualType) await refuseTooManyPixels(blob);
    return ctx.runMutation(insertImage, { storageId, ...details, actualType });
  },
});

/** Fetches a public URL into an image; a private, local or link-local host is refused. */
export const downloadAndStore = userAction({
  args: { url: z.url({ protocol: /^https?$/ }).max(2000) },
  handler: async (ctx, { url }) => {
    await ctx.limitRate("fetches");
    const { storageId, actualType } = await fetchPublic(url, { maxSize }, async ({ head, body }) => {
      const contentType = await imageTypeOf(head);
      if (!contentType) throw new TRPCError({ code: "BAD_REQUEST", message: `There is no image at ${url}` });
      return { storageId: await ctx.storage.store(body, { contentType }), actualType: contentType };
    });
    try {
      return await ctx.runMutation(insertImage, { storageId, title: titleOf(url), originalUrl: url, actualType });
    } catch (error) {
      await ctx.storage.delete(storageId);
      throw error;
    }
  },
});

export const insertImage = internalMutation({
  args: {
    storageId: storageId(),
    ...details,
    originalUrl: z.string().optional(),
    /** What the bytes are. */
    actualType: z.string().nullable(),
  },
  handler: async (ctx, { storageId, actualType, ...details }) => {
    const { identity } = await requireIdentity(ctx);
    // A client whose answer was lost calls again.
    const saved = await ctx.db.image.findFirst({ where: { storageId, uploadedBy: identity.tokenIdentifier } });
    if (saved) return saved;
    const { contentType: saidType, size } = await ctx.storage.claim(storageId);
    if (!actualType || !saidType?.startsWith("image/")) {
      const message = `Cannot save ${saidType ?? "a file without a type"} as an image: its bytes are ${actualType ?? "no image"}`;
      throw new TRPCError({ code: "BAD_REQUEST", message });
    }
    // A picture is what its bytes are: many are named by another kind's ending.
    if (saidType !== actualType) await ctx.storage.claim(storageId, { contentType: actualType });
    const data = { storageId, ...details, contentType: actualType, size, uploadedBy: identity.tokenIdentifier };
    const image = await ctx.db.image.create({ data });
    await ctx.scheduler.runAfter(0, createThumbnail, { imageId: image.id });
    return image;
  },
});

/** A page of the caller's images, newest first. */
export const list = userQuery({
  args: pageArgs,
  handler: async (ctx, page) => {
    const uploadedBy = ctx.identity.tokenIdentifier;
    const { rows, nextCursor } = await paginate(page, ({ take, where }) =>
      ctx.db.image.findMany({ where: { uploadedBy, ...where }, take, orderBy: { id: "desc" } }),
    );
    const images = rows.map(async (image) => ({
      ...image,
      url: await ctx.storage.getUrl(image.storageId),
      thumbnailUrl: image.thumbnailId && (await ctx.storage.getUrl(image.thumbnailId)),
    }));
    return { page: await Promise.all(images), nextCursor };
  },
});

/** Deletes the image, its thumbnail and both files. */
export const deleteImage = userMutation({
  args: { imageId },
  handler: async (ctx, { imageId }) => {
    const where = { id: imageId, uploadedBy: ctx.identity.tokenIdentifier };
    const image = await ctx.db.image.findFirst({ where });
    if (!image) throw notFound(imageId);
    await ctx.db.image.delete({ where });
    await ctx.storage.delete(image.storageId);
    if (image.thumbnailId) await ctx.storage.delete(image.thumbnailId);
  },
});

/** Makes the thumbnail of one of the caller's images anew, and returns its storage id. */
export const generateThumbnail = userAction({
  args: { imageId },
  handler: async (ctx, { imageId }) => {
    const image = await ctx.runQuery(find, { imageId });
    await ctx.limitRate("images");
    if (image?.uploadedBy !== ctx.identity.tokenIdentifier) throw notFound(imageId);
    return ctx.runAction(createThumbnail, { imageId });
  },
});

export const createThumbnail = internalAction({
  args: { imageId },
  handler: async (ctx, { imageId }): Promise<string> => {
    const image = await ctx.runQuery(find, { imageId });
    const blob = image && (await ctx.storage.get(image.storageId));
    if (!blob) throw notFound(imageId);
    // A row may refer to any file; only the gallery's own URLs bound their size.
    if (blob.size > maxSize) throw tooLarge();
    const thumbnail = await makeThumbnail(blob);
    const thumbnailId = await ctx.storage.store(thumbnail);
    await ctx.runMutation(linkThumbnail, { imageId, thumbnailId });
    return thumbnailId;
  },
});

export const linkThumbnail = internalMutation({
  args: { imageId, thumbnailId: storageId() },
  handler: async (ctx, { imageId, thumbnailId }) => {
    const image = await ctx.db.image.findUnique({ where: { id: imageId } });
    if (!image) return ctx.storage.delete(thumbnailId);
    await ctx.storage.claim(thumbnailId);
    await ctx.db.image.update({ where: { id: imageId }, data: { thumbnailId } });
    if (image.thumbnailId) await ctx.storage.delete(image.thumbnailId);
  },
});

export const find = internalQuery({
  args: { imageId },
  handler: (ctx, { imageId }) => ctx.db.image.findUnique({ where: { id: imageId } }),
});

/** Who uploaded a file, as `tokenIdentifier`; `null` when nobody is known, or there is none. */
export const ownerOf = internalQuery({
  args: { storageId: storageId() },
  handler: async (ctx, { storageId }) => (await ctx.db.storage.findUnique({ where: { id: storageId } }))?.owner ?? null,
});

const notFound = (imageId: string) =>
  new TRPCError({ code: "NOT_FOUND", message: `There is no image ${imageId} of yours; it may have been deleted` });

const tooLarge = () =>
  new TRPCError({ code: "PAYLOAD_TOO_LARGE", message: `Images have ${maxSize} bytes at most. Send a smaller one.` });

/** The last part of the URL's path, as people read it. */
function titleOf(url: string): string {
  const last = new URL(url).pathname.split("/").at(-1) ?? "";
  let title = last;
  try {
    title = decodeURIComponent(last);
  } catch {
    // A `%` of no meaning stays as it is.
  }
  // A NUL is no text for PostgreSQL.
  return (
    title
      .replace(/\p{Cc}/gu, "")
      .trim()
      .slice(0, 200) || "Image"
  );
}

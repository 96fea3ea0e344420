import { TRPCError } from "@trpc/server";
import { fileTypeFromBuffer } from "file-type";
import { z } from "zod";
import { action, internalAction, internalMutation, internalQuery, mutation, query } from "~/kit";
import {
  editImage,
  fetchPublic,
  type Id,
  id,
  imageTypes,
  isImageType,
  pageArgs,
  paginate,
  refuseTooManyPixels,
  requireIdentity,
  storageId,
} from "~/kit/server";
import { nameInUrl, orDelete } from "./files";

const userQuery = query.use(requireIdentity);
const userMutation = mutation.use(requireIdentity);
const userAction = action.use(requireIdentity);

/** The largest image, in bytes. */
const maxSize = 20 * 1024 * 1024;
const details = { title: z.string().trim().min(1).max(200), description: z.string().trim().max(2000).optional() };
const imageId = id("image");

export const generateUploadUrl = userMutation({
  returns: z.string(),
  handler: (ctx) => ctx.storage.generateUploadUrl({ maxSize, contentTypes: imageTypes }),
});

/** Saves an upload as an image. Its bytes decide its type, not the type that it was sent with. */
export const saveImage = userAction({
  args: { storageId: storageId(), ...details },
  handler: async (ctx, { storageId, ...details }) => {
    await ctx.limitRate("images");
    const blob = await ctx.storage.get(storageId, { held: true });
    if (blob && blob.size > maxSize) throw tooLarge();
    if (blob) await refuseTooManyPixels(blob);
    return ctx.runMutation(insertImage, { storageId, ...details });
  },
});

/** Fetches an image from a public URL and saves it. Refuses hosts of private networks. */
export const downloadAndStore = userAction({
  args: { url: z.url({ protocol: /^https?$/ }).max(2000) },
  handler: async (ctx, { url }) => {
    await ctx.limitRate("fetches");
    const storageId = await fetchPublic(url, { maxSize }, async ({ head, body }) => {
      const contentType = (await fileTypeFromBuffer(head))?.mime;
      if (isImageType(contentType)) return ctx.storage.store(body, { contentType });
      throw new TRPCError({ code: "BAD_REQUEST", message: `There is no image at ${url}.` });
    });
    const image = { storageId, title: nameInUrl(url) || "Image", originalUrl: url };
    return orDelete(ctx, [storageId], () => ctx.runMutation(insertImage, image));
  },
});

export const insertImage = internalMutation({
  args: {
    storageId: storageId(),
    ...details,
    originalUrl: z.string().optional(),
  },
  handler: async (ctx, { storageId, ...details }) => {
    const { identity } = await requireIdentity(ctx);
    // The client calls again when the answer to its first call was lost.
    const saved = await ctx.db.image.findFirst({ where: { storageId, uploadedBy: identity.tokenIdentifier } });
    if (saved) return saved;
    const { contentType: saidType, detectedType: actualType, size } = await ctx.storage.claim(storageId);
    if (!isImageType(actualType) || !saidType?.startsWith("image/")) {
      const message = `Cannot save ${saidType ?? "a file without a type"} as an image: its bytes are ${actualType ?? "not an image"}.`;
      throw new TRPCError({ code: "BAD_REQUEST", message });
    }
    // Many pictures have the extension of another format, and browsers derive the type from the extension.
    if (saidType !== actualType) await ctx.storage.claim(storageId, { contentType: actualType });
    const data = { storageId, ...details, contentType: actualType, size, uploadedBy: identity.tokenIdentifier };
    const image = await ctx.db.image.create({ data });
    await ctx.scheduler.runAfter(0, createThumbnail, { imageId: image.id });
    return image;
  },
});

/** Returns a page of the caller's images, newest first. */
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
      /** A square of the middle, in the sizes that pages show. */
      square: await ctx.storage.getImage(image.storageId, { width: 320, height: 320 }),
      thumbnailUrl: image.thumbnailId && (await ctx.storage.getUrl(image.thumbnailId)),
    }));
    return { page: await Promise.all(images), nextCursor };
  },
});

/** Deletes an image with its thumbnail and both files. */
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

/** Makes a new thumbnail for one of the caller's images, and returns its storage id. */
export const generateThumbnail = userAction({
  args: { imageId },
  returns: storageId(),
  handler: async (ctx, { imageId }) => {
    const image = await ctx.runQuery(find, { imageId });
    await ctx.limitRate("images");
    if (image?.uploadedBy !== ctx.identity.tokenIdentifier) throw notFound(imageId);
    return ctx.runAction(createThumbnail, { imageId });
  },
});

export const createThumbnail = internalAction({
  args: { imageId },
  handler: async (ctx, { imageId }): Promise<Id<"_storage">> => {
    const image = await ctx.runQuery(find, { imageId });
    // The thumbnail of a held file is held, too.
    const blob = image && (await ctx.storage.get(image.storageId, { held: true }));
    if (!blob) throw notFound(imageId);
    // Only upload URLs of the gallery limit the size, and a row may reference a file that came another way.
    if (blob.size > maxSize) throw tooLarge();
    const square = await editImage(blob, (image) => image.resize(200, 200, { fit: "cover" }).webp());
    const thumbnailId = await ctx.storage.store(new Blob([square], { type: "image/webp" }));
    await orDelete(ctx, [thumbnailId], () => ctx.runMutation(linkThumbnail, { imageId, thumbnailId }));
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

/** Returns the `tokenIdentifier` of the user who uploaded a file. `null` without an identity or a file. */
export const ownerOf = internalQuery({
  args: { storageId: storageId() },
  handler: async (ctx, { storageId }) => (await ctx.db.storage.findUnique({ where: { id: storageId } }))?.owner ?? null,
});

const notFound = (imageId: string) =>
  new TRPCError({ code: "NOT_FOUND", message: `Image ${imageId} does not exist or belongs to someone else.` });

const tooLarge = () =>
  new TRPCError({
    code: "PAYLOAD_TOO_LARGE",
    message: `An image may have at most ${maxSize} bytes. Send a smaller one.`,
  });

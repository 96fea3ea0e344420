// Compiled by `npm run check`, never run: the id of one table is not that of another.
import type { TRPCClient } from "@trpc/client";
import type { AppRouter } from "~/functions";
import * as files from "~/functions/files";
import * as messages from "~/functions/messages";
import type { Prisma } from "~/generated/prisma/client";
import { mutation, query } from "~/kit";
import { uploadFile } from "~/kit/client";
import { type Id, id, storageId } from "~/kit/server";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>) => undefined;

mutation({
  args: { imageId: id("image"), storageId: storageId(), messageIds: id("message").array().optional() },
  handler: async (ctx, args) => {
    same<typeof args.imageId, Id<"image">>(true);
    same<typeof args.messageIds, Id<"message">[] | undefined>(true);

    // All rows have typed ids, whichever columns are selected, and so do their relations.
    const message = await ctx.db.message.findFirstOrThrow();
    same<typeof message.id, Id<"message">>(true);
    same<typeof message.storageId, Id<"_storage"> | null>(true);
    const image = await ctx.db.image.findFirstOrThrow({ select: { id: true, thumbnailId: true, storage: true } });
    same<typeof image.thumbnailId, Id<"_storage"> | null>(true);
    same<typeof image.storage.id, Id<"_storage">>(true);

    await ctx.storage.getUrl(args.storageId);
    // @ts-expect-error a message is no file
    await ctx.storage.getUrl(message.id);
    // @ts-expect-error nor is an image, which only refers to one
    await ctx.storage.delete(args.imageId);
    // @ts-expect-error
    await ctx.storage.claim(image.id);
    // @ts-expect-error
    await ctx.db.system.get(message.id);
    // @ts-expect-error there may be none
    await ctx.storage.delete(message.storageId);

    await ctx.runMutation(files.saveFile, { storageId: args.storageId, name: "a.txt" });
    // @ts-expect-error functions take ids of one table
    await ctx.runMutation(files.saveFile, { storageId: message.id, name: "a.txt" });
    const jobId = await ctx.scheduler.runAfter(0, messages.deleteMessage, { messageId: message.id });
    // @ts-expect-error so do scheduled functions
    await ctx.scheduler.runAfter(0, messages.deleteMessage, { messageId: args.storageId });
    await ctx.scheduler.cancel(jobId);
    // @ts-expect-error
    await ctx.scheduler.cancel(args.imageId);

    // A text is accepted as an id, and checked when the function runs.
    await ctx.storage.getUrl(message.body);
    // Every id is also a text.
    const text: string = message.id;
    return text.toUpperCase();
  },
});

// `ctx.db` refuses ids of other tables wherever it takes ids, and takes texts and Prisma's own types.
mutation({
  args: { imageId: id("image"), storageId: storageId() },
  handler: async (ctx, { imageId, storageId }) => {
    const message = await ctx.db.message.findFirstOrThrow();
    const { body, id } = message;
    const columns = { author: "Ada", body, format: "image" as const };

    await ctx.db.message.create({ data: { ...columns, id: body, storageId } });
    await ctx.db.message.create({ data: { ...columns, storage: { connect: { id: storageId } } } });
    await ctx.db.message.updateMany({ where: { id: { in: [id, body] } }, data: { storageId: { set: null } } });
    await ctx.db.message.findMany({ where: { storageId: { not: null, notIn: [storageId] } }, cursor: { id } });
    const data: Prisma.MessageUncheckedCreateInput = { ...columns, storageId: body };
    await ctx.db.message.createMany({ data: [data] });

    // @ts-expect-error a message is no file
    await ctx.db.message.create({ data: { ...columns, storageId: id } });
    // @ts-expect-error
    await ctx.db.message.create({ data: { ...columns, id: storageId } });
    // @ts-expect-error
    await ctx.db.message.createMany({ data: [{ ...columns, storageId: imageId }] });
    // @ts-expect-error
    await ctx.db.message.create({ data: { ...columns, storage: { connect: { id } } } });
    // @ts-expect-error
    await ctx.db.message.update({ where: { id }, data: { storageId: id } });
    // @ts-expect-error
    await ctx.db.message.update({ where: { id }, data: { storageId: { set: imageId } } });
    // @ts-expect-error
    await ctx.db.message.updateMany({ where: { storageId: id }, data: columns });
    // @ts-expect-error
    await ctx.db.message.upsert({ where: { id }, create: { ...columns, storageId: id }, update: {} });
    // @ts-expect-error
    await ctx.db.message.findUnique({ where: { id: storageId } });
    // @ts-expect-error
    await ctx.db.message.findMany({ where: { OR: [{ storage: { id } }] } });
    // @ts-expect-error
    await ctx.db.message.findMany({ where: { storageId: { in: [imageId] } } });
    // @ts-expect-error
    await ctx.db.message.deleteMany({ where: { NOT: { id: { equals: storageId } } } });
    // @ts-expect-error
    await ctx.db.message.count({ cursor: { id: imageId } });
    const picture = { title: "", uploadedBy: "", contentType: "", size: 1, storageId };
    // @ts-expect-error
    await ctx.db.image.create({ data: { ...picture, thumbnailId: id } });
    // @ts-expect-error
    await ctx.db.system.get("_storage", id);
  },
});

// @ts-expect-error there is no table of this name
query({ args: { id: id("mesage") }, handler: () => null });

export async function fromTheBrowser(client: TRPCClient<AppRouter>, file: File) {
  const { storageId } = await uploadFile({ url: await client.files.generateUploadUrl.mutate({}), file });
  const saved = await client.files.saveFile.mutate({ storageId, name: file.name });
  same<typeof saved._id, Id<"file">>(true);
  const { page } = await client.messages.list.query({});
  const messageIds: Id<"message">[] = page.map(({ _id }) => _id);
  // @ts-expect-error the file that is stored is not the row that refers to it
  await client.messages.deleteMessage.mutate({ messageId: saved.storageId });
  // @ts-expect-error
  await client.files.getUrl.query({ storageId: saved._id });
  return messageIds;
}

import { expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { describeImages } from "~/kit/storage/describe-images";
import { readImageMetadata } from "~/kit/storage/images";
import { deleteFile } from "~/kit/storage/ownership";
import { eventually } from "../../eventually";
import { storage, uploadFile } from "../kit";
import { animatedAvif, animation, apng, canvas, claiming, corpus, halves, oriented } from "./corpus";

const still = { animated: false, pages: 1 };

test.each(Object.entries(corpus))("%s has its size upright, and a placeholder", async (_, create) => {
  const metadata = await readImageMetadata(Buffer.from(await create()));
  expect(metadata).toEqual({ ...still, width: 400, height: 200, thumbhash: expect.stringMatching(/^[\w+/=]{20,40}$/) });
});

test.each([
  ["an animated GIF", () => animation("gif"), { width: 60, height: 40, animated: true, pages: 3 }],
  ["an animated WebP", () => animation("webp"), { width: 60, height: 40, animated: true, pages: 3 }],
  ["an APNG, whose frames are not counted", apng, { width: 400, height: 200, animated: true, pages: 1 }],
  ["one pixel", async () => canvas(1, 1).png().toBuffer(), { ...still, width: 1, height: 1 }],
])("%s", async (_, create, expected) => {
  expect(await readImageMetadata(Buffer.from(await create()))).toMatchObject(expected);
});

test("the head of a large image is enough for its size", async () => {
  const photograph = await halves(4000, 3000).jpeg().toBuffer();
  expect(await readImageMetadata(photograph.subarray(0, 5000), { isHead: true })).toEqual({
    ...still,
    width: 4000,
    height: 3000,
  });
});

test.each([
  ["what sharp cannot read", animatedAvif, "ImageUnreadable"],
  ["too many pixels", () => claiming(50_001, 1000), "ImageTooLarge"],
  ["text", async () => Buffer.from("text"), "NotAnImage"],
])("refuses %s", async (_, create, code) => {
  await expect(readImageMetadata(Buffer.from(await create()))).rejects.toMatchObject({ code });
});

const described = { width: 400, height: 200, animated: false, pages: 1, thumbhash: expect.any(String) };

test("an image is looked at after it was stored, whatever type it was sent as", async () => {
  const id = await uploadFile(await oriented(6), "application/octet-stream");
  await eventually(async () => expect((await storage.getMetadata(id))?.image).toEqual(described));
  expect(await storage.getImage(id)).toEqual({ ...described, url: expect.stringContaining("format=auto") });
  expect(await storage.getImage(id, { width: 320, height: 240 })).toMatchObject({ width: 320, height: 240 });
  await deleteFile(prisma, id);
  expect(await storage.getImage(id)).toBeNull();
});

test("other files are left alone", async () => {
  const id = await uploadFile("not a picture", "image/png");
  await describeImages();
  expect(await storage.getMetadata(id)).not.toHaveProperty("image");
  expect(await prisma.storage.findUnique({ where: { id }, select: { image: true } })).toEqual({ image: {} });
});

test("an image that the process did not look at is looked at later", async () => {
  const id = await uploadFile(await oriented(1));
  await eventually(async () => expect((await storage.getMetadata(id))?.image).toBeDefined());
  await prisma.$transaction([
    prisma.$executeRaw`SELECT set_config('storage.row', '*', true)`,
    prisma.$executeRaw`UPDATE "_storage" SET "image" = NULL WHERE "_id" = ${id}::uuid`,
  ]);
  await describeImages();
  expect((await storage.getMetadata(id))?.image).toEqual(described);
});

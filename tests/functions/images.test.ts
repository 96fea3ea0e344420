import sharp from "sharp";
import { expect, test } from "vitest";
import { app } from "~/functions";
import crons from "~/functions/crons";
import http from "~/functions/http";
import * as images from "~/functions/images";
import { internalMutation, kit } from "~/kit";
import { storageId } from "~/kit/server";
import { database, testApp } from "~/kit/testing";

const { as, upload, runJobs } = testApp(app);

const picture = async () =>
  new Blob([
    new Uint8Array(
      await sharp({ create: { width: 40, height: 30, channels: 3, background: "red" } })
        .png()
        .toBuffer(),
    ),
  ]);

test("an image has a thumbnail once the job that its saving scheduled has run", async () => {
  const ann = as("ann");
  const storageId = await upload(await ann.images.generateUploadUrl(), await picture(), "image/png");
  await ann.images.saveImage({ storageId, title: "Red" });
  expect((await ann.images.list({})).page).toMatchObject([{ title: "Red", thumbnailUrl: null }]);
  expect(await runJobs()).toBe(1);
  expect((await ann.images.list({})).page).toMatchObject([{ thumbnailUrl: expect.stringContaining("/api/storage/") }]);
});

test("what is no image by its bytes is refused, whatever it was sent as", async () => {
  const ann = as("ann");
  const storageId = await upload(await ann.images.generateUploadUrl(), "no picture", "image/png");
  await expect(ann.images.saveImage({ storageId, title: "?" })).rejects.toThrow("its bytes are not an image");
});

test("a deleted image takes both of its files along", async () => {
  const bob = as("bob");
  const storageId = await upload(await bob.images.generateUploadUrl(), await picture(), "image/png");
  const { _id } = await bob.images.saveImage({ storageId, title: "Gone" });
  await runJobs();
  const { thumbnailId } = await database.image.findUniqueOrThrow({ where: { storageId } });
  await bob.images.deleteImage({ imageId: _id });
  expect(await database.storage.count({ where: { id: { in: [storageId, thumbnailId ?? ""] } } })).toBe(0);
});

test("a held image gets a thumbnail, which is held, too, and its pixels are counted", async () => {
  const wait = internalMutation({ args: { storageId: storageId() }, handler: () => null });
  const storage = { onStored: [wait], hold: true };
  testApp(kit.app({ functions: { images, scans: { wait } }, http, crons, storage }));
  const cat = as("cat");
  const held = await upload(await cat.images.generateUploadUrl(), await picture(), "image/png");
  await cat.images.saveImage({ storageId: held, title: "Held" });
  await runJobs();
  const { thumbnailId } = await database.image.findUniqueOrThrow({ where: { storageId: held } });
  expect(await database.storage.findUnique({ where: { id: thumbnailId ?? "" } })).toMatchObject({ held: true });
  expect((await cat.images.list({})).page).toMatchObject([{ url: null, square: null, thumbnailUrl: null }]);
  const many = await sharp({ create: { width: 7_100, height: 7_100, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  const bomb = await upload(await cat.images.generateUploadUrl(), new Blob([new Uint8Array(many)]), "image/png");
  await expect(cat.images.saveImage({ storageId: bomb, title: "Bomb" })).rejects.toThrow("pixels");
});

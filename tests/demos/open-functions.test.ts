import { describe, expect, test } from "vitest";
import { app } from "~/functions";
import { testApp } from "~/kit/testing";
import { apiOf, uploadFile } from "../kit/caller";

const { http, router } = app;
const { fetch, nobody } = testApp(app);

/** The functions that anyone may call. All others refuse a caller without an identity. */
const open = [
  "messages.list",
  "messages.sendMessage",
  "messages.generateUploadUrl",
  "messages.sendImage",
  "files.generateUploadUrl",
  // These answer for files that were uploaded without an identity, and only for them.
  "files.saveFile",
  "files.getUrl",
  "files.getMetadata",
  // Needs the token of a share link, which is a secret.
  "shares.get",
  // Names of tables, and when they change.
  "_kit.changes",
];
const openRoutes = [
  "POST /sendImage",
  "POST /sendForm",
  "GET /getImage",
  "POST /postMessage",
  "GET /getMessagesByAuthor",
  "GET /getAuthorMessages/",
  "POST /shares/",
  "GET /shares/",
];

const id = "01990000-0000-7000-8000-000000000000";
const args = {
  storageId: id,
  fileId: id,
  imageId: id,
  messageId: id,
  linkId: id,
  hours: 1,
  name: "n",
  title: "t",
  url: "https://example.com/a.png",
};

describe("without an identity", () => {
  // tests/kit/dashboard/access.test.ts checks the dashboard's functions, which are for administrators.
  const functions = Object.keys(router._def.procedures).filter(
    (name) => !open.includes(name) && !name.startsWith("dashboard."),
  );

  test.each(functions)("%s, UNAUTHORIZED", async (name) => {
    const [file = "", fn = ""] = name.split(".");
    const api: Record<string, Record<string, (args: unknown) => Promise<unknown>>> = nobody as never;
    await expect(api[file]?.[fn]?.(args)).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  });

  const name = ({ method, path, pathPrefix }: { method: string; path?: string; pathPrefix?: string }) =>
    `${method} ${path ?? pathPrefix}`;
  const routes = http.getRoutes().filter((route) => !openRoutes.includes(name(route)));

  test.each(routes.map((route) => [name(route), route] as const))("%s, 401 or 404", async (_, { method, path }) => {
    const storageId = await uploadFile("secret", "image/png", apiOf("ann"));
    expect([401, 404]).toContain((await fetch(`${path}?storageId=${storageId}`, { method })).status);
  });

  test("the lists name what exists", () => {
    expect(Object.keys(router._def.procedures)).toEqual(expect.arrayContaining(open));
    expect(http.getRoutes().map(name)).toEqual(expect.arrayContaining(openRoutes));
  });
});

describe("another's file", () => {
  const [ann, bob] = [apiOf("ann"), apiOf("bob")];
  const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const upload = (by: typeof ann) => uploadFile(Buffer.from(png, "base64"), "image/png", by);

  test("cannot be claimed, by any function", async () => {
    const storageId = await upload(ann);
    const missing = { code: "NOT_FOUND" };
    await expect(bob.files.saveFile({ storageId, name: "b" })).rejects.toMatchObject(missing);
    await expect(bob.messages.sendImage({ storageId, author: "b" })).rejects.toMatchObject(missing);
    await expect(bob.images.saveImage({ storageId, title: "b" })).rejects.toMatchObject(missing);
    await ann.files.saveFile({ storageId, name: "a" });
    await ann.messages.sendImage({ storageId, author: "a" });
  });

  test("is neither seen, linked, renamed nor deleted, its id known", async () => {
    const storageId = await upload(ann);
    await ann.files.saveFile({ storageId, name: "ann's" });
    expect((await bob.files.list()).page).toEqual([]);
    expect(await bob.files.getUrl({ storageId })).toBeNull();
    expect(await bob.files.getMetadata({ storageId })).toBeNull();
    await expect(bob.files.rename({ storageId, name: "bob's" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(bob.files.delete({ storageId })).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await ann.files.list()).page[0]).toMatchObject({ name: "ann's", storageId });
    expect(await ann.files.getUrl({ storageId })).not.toBeNull();
  });

  test("an upload without an owner, claimed once", async () => {
    const storageId = await uploadFile("abc");
    await ann.files.saveFile({ storageId, name: "first" });
    await expect(bob.files.saveFile({ storageId, name: "second" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await ann.files.list()).page).toEqual(expect.arrayContaining([expect.objectContaining({ storageId })]));
  });

  test("images, likewise", async () => {
    const storageId = await upload(ann);
    const image = await ann.images.saveImage({ storageId, title: "ann's" });
    expect((await bob.images.list()).page).toEqual([]);
    await expect(bob.images.deleteImage({ imageId: image._id })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(bob.images.generateThumbnail({ imageId: image._id })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await ann.images.deleteImage({ imageId: image._id });
    expect(await ann.files.getMetadata({ storageId })).toBeNull();
  });

  test("messages, only their author deletes them", async () => {
    const messageId = await ann.messages.sendMessage({ author: "a", body: "mine" });
    await expect(bob.messages.deleteMessage({ messageId })).rejects.toMatchObject({ code: "NOT_FOUND" });
    await ann.messages.deleteMessage({ messageId });
  });
});

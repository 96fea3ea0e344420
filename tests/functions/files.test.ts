import { expect, test } from "vitest";
import { app } from "~/functions";
import { testApp } from "~/kit/testing";

const { as, nobody, visitor, upload } = testApp(app);

test("a file that somebody saves is in their list alone, with its name, type and size", async () => {
  const ann = as("ann");
  const storageId = await upload(await ann.files.generateUploadUrl({}), "hello", "text/plain");
  await ann.files.saveFile({ storageId, name: "hello.txt" });
  expect((await ann.files.list({})).page).toMatchObject([{ name: "hello.txt", contentType: "text/plain", size: 5 }]);
  expect((await as("bob").files.list({})).page).toEqual([]);
});

test("the same upload is saved once, however often it is asked for", async () => {
  const ann = as("ann");
  const storageId = await upload(await ann.files.generateUploadUrl({}), "again");
  const first = await ann.files.saveFile({ storageId, name: "a" });
  expect(await ann.files.saveFile({ storageId, name: "a" })).toEqual(first);
});

test("another's upload cannot be saved", async () => {
  const storageId = await upload(await as("ann").files.generateUploadUrl({}), "hers");
  await expect(as("eve").files.saveFile({ storageId, name: "stolen" })).rejects.toThrow();
});

test("an upload URL refuses more bytes and other types than it was made for", async () => {
  const url = () => nobody.files.generateUploadUrl({ maxSize: 3, contentTypes: ["image/*"] });
  await expect(upload(await url(), "1234", "image/png")).rejects.toThrow(/TooLarge/);
  await expect(upload(await url(), "123", "text/plain")).rejects.toThrow(/text\/plain/);
});

test("a visitor without an account has a list, and nobody has none", async () => {
  expect((await visitor().files.list({})).page).toEqual([]);
  await expect(nobody.files.list({})).rejects.toMatchObject({ code: "UNAUTHORIZED" });
});

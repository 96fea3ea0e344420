import { expect, test } from "vitest";
import { app } from "~/functions";
import { testApp } from "~/kit/testing";

const { as, nobody, visitor, upload } = testApp(app);

test("a file that somebody saves is in their list alone, with its name, type and size", async () => {
  const ann = as("ann");
  const storageId = await upload(await ann.files.generateUploadUrl({}), "hello", "text/plain");
  const saved = await ann.files.saveFile({ storageId, name: "hello.txt" });
  expect(saved.url).toBe(await ann.files.getUrl({ storageId }));
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

test("a list is searched by name, ordered, counted, and read page by page", async () => {
  const cleo = as("cleo");
  for (const name of ["b 100%.txt", "a.txt", "B_1.md", "c.txt"]) {
    const storageId = await upload(await cleo.files.generateUploadUrl({}), name.repeat(name.length), "text/plain");
    await cleo.files.saveFile({ storageId, name });
  }
  const names = async (view: Parameters<typeof cleo.files.list>[0]) =>
    (await cleo.files.list(view)).page.map(({ name }) => name);
  expect(await names({})).toEqual(["c.txt", "B_1.md", "a.txt", "b 100%.txt"]);
  expect(await names({ sort: "oldest" })).toEqual(["b 100%.txt", "a.txt", "B_1.md", "c.txt"]);
  expect((await names({ sort: "name" })).map((name) => name[0]?.toLowerCase())).toEqual(["a", "b", "b", "c"]);
  expect((await names({ sort: "largest" }))[0]).toBe("b 100%.txt");
  expect(await names({ search: "b" })).toEqual(["B_1.md", "b 100%.txt"]);
  expect(await names({ search: "%" })).toEqual(["b 100%.txt"]);
  expect(await names({ search: "_" })).toEqual(["B_1.md"]);
  expect(await cleo.files.count({ search: ".TXT" })).toBe(3);

  const first = await cleo.files.list({ sort: "largest", limit: 3 });
  const rest = await cleo.files.list({ sort: "largest", limit: 3, cursor: first.nextCursor });
  expect([first.page.length, rest.page.length, rest.nextCursor]).toEqual([3, 1, null]);
  expect(new Set([...first.page, ...rest.page].map(({ _id }) => _id)).size).toBe(4);
});

test("a file is replaced by another upload, keeps its name, and only its owner does so", async () => {
  const dan = as("dan");
  const send = async (content: string) => upload(await dan.files.generateUploadUrl({}), content, "text/plain");
  const old = await send("old");
  const { _id: fileId } = await dan.files.saveFile({ storageId: old, name: "kept.txt" });
  const storageId = await send("newer");
  await expect(as("eve").files.replace({ fileId, storageId })).rejects.toMatchObject({ code: "NOT_FOUND" });
  await dan.files.replace({ fileId, storageId });
  await dan.files.replace({ fileId, storageId });
  expect(await dan.files.get({ fileId })).toMatchObject({ name: "kept.txt", size: 5, storageId });
  expect(await dan.files.getUrl({ storageId: old })).toBeNull();
  expect(await as("eve").files.get({ fileId })).toBeNull();
  await expect(nobody.files.get({ fileId })).rejects.toMatchObject({ code: "UNAUTHORIZED" });
});

test("a name cannot show another ending than it has", async () => {
  const ann = as("ann");
  const storageId = await upload(await ann.files.generateUploadUrl({}), "MZ", "text/plain");
  expect(await ann.files.saveFile({ storageId, name: "report\u202Efdp.exe" })).toMatchObject({ name: "reportfdp.exe" });
  await expect(ann.files.rename({ storageId, name: "\u202E" })).rejects.toThrow("name");
});

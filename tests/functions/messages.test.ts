import { expect, test, vi } from "vitest";
import { app } from "~/functions";
import { testApp } from "~/kit/testing";

const onePixel = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);

const { as, nobody, upload, fetch } = testApp(app);

test("a message that anybody sends is listed last, and is its sender's alone", async () => {
  const ann = as("ann");
  await nobody.messages.sendMessage({ author: "Bob", body: "Hello" });
  await ann.messages.sendMessage({ author: "Ann", body: "Hello, Bob" });
  const { page } = await ann.messages.list({});
  expect(page.map(({ author, body, isMine }) => [author, body, isMine])).toEqual([
    ["Bob", "Hello", false],
    ["Ann", "Hello, Bob", true],
  ]);
});

test("a message without text is refused, in words that name the field", async () => {
  await expect(nobody.messages.sendMessage({ author: "Ann", body: " " })).rejects.toThrow(/body/);
});

test("a picture is sent with its URL, and anything else is refused", async () => {
  const picture = await upload(await nobody.messages.generateUploadUrl(), "any bytes", "image/png");
  await nobody.messages.sendImage({ storageId: picture, author: "Ann" });
  const { page } = await nobody.messages.list({});
  expect(page.at(-1)?.url).toMatch(/\/api\/storage\//);

  const text = await upload(await nobody.messages.generateUploadUrl(), "text", "text/plain");
  await expect(nobody.messages.sendImage({ storageId: text, author: "Ann" })).rejects.toThrow("Only images");
});

test("a picture has the size that its sender's browser says, until the file's own is known", async () => {
  const claimed = { width: 40, height: 30 };
  const send = async (bytes: Uint8Array<ArrayBuffer>) => {
    const storageId = await upload(await nobody.messages.generateUploadUrl(), new Blob([bytes]), "image/png");
    await nobody.messages.sendImage({ storageId, author: "Ann", ...claimed });
  };
  const size = async () => {
    const { width, height } = (await nobody.messages.list({})).page.at(-1)?.image ?? {};
    return { width, height };
  };
  await send(new Uint8Array([1, 2, 3]));
  expect(await size()).toEqual(claimed);
  await send(new Uint8Array(onePixel));
  await vi.waitFor(async () => expect(await size()).toEqual({ width: 1, height: 1 }));
  await expect(nobody.messages.sendImage({ storageId: "x", author: "Ann", width: 0 })).rejects.toThrow(/width/);
});

test("only its sender deletes a message", async () => {
  const [ann, eve] = [as("ann"), as("eve")];
  const messageId = await ann.messages.sendMessage({ author: "Ann", body: "Mine" });
  await expect(eve.messages.deleteMessage({ messageId })).rejects.toMatchObject({ code: "NOT_FOUND" });
  await ann.messages.deleteMessage({ messageId });
  expect((await ann.messages.list({})).page.filter(({ body }) => body === "Mine")).toEqual([]);
});

test("POST /http/postMessage sends a message, GET /http/getMessagesByAuthor lists it", async () => {
  const sent = await fetch("/postMessage", { method: "POST", body: '{"author":"Script","body":"Hi"}' });
  expect(sent.status).toBe(200);
  const listed = await fetch("/getMessagesByAuthor?author=Script");
  expect(await listed.json()).toMatchObject([{ body: "Sent via HTTP action: Hi" }]);
});

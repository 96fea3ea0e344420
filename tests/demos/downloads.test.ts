import { describe, expect, test, vi } from "vitest";
import { app } from "~/functions";
import * as files from "~/functions/files";
import { database, testApp } from "~/kit/testing";
import { blobs, env } from "../kit/inside";

const { as, nobody, upload, runAs, fetch } = testApp(app);
const ann = as("ann");

test.each([
  ["https://example.com/reports/Report%201.pdf?x=1", "Report 1.pdf"],
  ["https://example.com/100%.txt", "100%.txt"],
  ["https://example.com/a%00b%0a.txt", "ab.txt"],
  ["https://example.com/", "example.com"],
])("a download of %s is saved as %s, with its URL", async (originalUrl, name) => {
  const storageId = await upload(await ann.files.generateUploadUrl(), "abc", "text/plain");
  await runAs("ann", files.saveDownload, { storageId, originalUrl });
  const { page } = await ann.files.list({ limit: 1 });
  expect(page).toMatchObject([{ storageId, name, originalUrl, size: 3, contentType: "text/plain" }]);
});

test.each([["http://127.0.0.1:1/a"], ["http://10.0.0.1/a"], ["http://169.254.169.254/latest"]])(
  "a download of %s is refused",
  async (url) => {
    await expect(ann.files.downloadAndStore({ url })).rejects.toThrow("not on the public internet");
  },
);

test("nobody may download without an identity", async () => {
  await expect(nobody.files.downloadAndStore({ url: "https://example.com/" })).rejects.toMatchObject({
    code: "UNAUTHORIZED",
  });
});

describe("POST /http/sendImage", () => {
  const send = (type: string) => {
    const request = { method: "POST", body: "bytes", headers: { "content-type": type } };
    return fetch("/sendImage?author=a", request);
  };
  const stored = () => Promise.all([database.storage.count(), database.unownedBlob.count()]);

  test.each(["image/heic", "IMAGE/HEIF", "image/tiff", "text/html", "image/png, text/html"])(
    "of %s is refused before a byte is stored",
    async (type) => {
      const before = await stored();
      const put = vi.spyOn(blobs, "put");
      expect((await send(type)).status).toBe(400);
      expect(put).not.toHaveBeenCalled();
      put.mockRestore();
      expect(await stored()).toEqual(before);
    },
  );

  test("whose message cannot be saved leaves no file", async () => {
    await nobody.messages.sendMessage({ author: "a", body: "b" });
    const [files] = await stored();
    const limit = vi.spyOn(env, "RATE_LIMIT_MESSAGES", "get").mockReturnValue(0.01);
    expect((await send("image/png")).status).toBe(429);
    limit.mockRestore();
    expect((await stored())[0]).toBe(files);
    expect((await send("IMAGE/PNG")).status).toBe(200);
  });
});

import { expect, test } from "vitest";
import * as files from "~/functions/files";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { api, apiOf } from "../kit/caller";

const ann = { tokenIdentifier: "test|ann", subject: "ann", issuer: "test" };
const ctx = actionCtx({ ...createSystemContext(), identity: async () => ann });

test.each([
  ["https://example.com/reports/Report%201.pdf?x=1", "Report 1.pdf"],
  ["https://example.com/100%.txt", "100%.txt"],
  ["https://example.com/a%00b%0a.txt", "ab.txt"],
  ["https://example.com/", "example.com"],
])("a download of %s is saved as %s, with its URL", async (originalUrl, name) => {
  const storageId = await ctx.storage.store(new Blob(["abc"], { type: "text/plain" }));
  await ctx.runMutation(files.saveDownload, { storageId, originalUrl });
  const { page } = await apiOf("ann").files.list({ limit: 1 });
  expect(page).toMatchObject([{ storageId, name, originalUrl, size: 3, contentType: "text/plain" }]);
});

test.each([["http://127.0.0.1:1/a"], ["http://10.0.0.1/a"], ["http://169.254.169.254/latest"]])(
  "a download of %s is refused",
  async (url) => {
    await expect(apiOf("ann").files.downloadAndStore({ url })).rejects.toThrow("not on the public internet");
  },
);

test("nobody may download without an identity", async () => {
  await expect(api.files.downloadAndStore({ url: "https://example.com/" })).rejects.toMatchObject({
    code: "UNAUTHORIZED",
  });
});

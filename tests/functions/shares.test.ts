import { expect, test } from "vitest";
import { app } from "~/functions";
import crons from "~/functions/crons";
import * as files from "~/functions/files";
import http from "~/functions/http";
import * as shares from "~/functions/shares";
import { internalMutation, kit } from "~/kit";
import { storageId } from "~/kit/server";
import { database, testApp } from "~/kit/testing";

const { as, nobody, upload, fetch } = testApp(app);
const ann = as("ann");

async function share(terms: { password?: string; maxDownloads?: number; hours?: number } = {}) {
  const storageId = await upload(await ann.files.generateUploadUrl({}), "0123456789", "text/plain");
  const { _id: fileId } = await ann.files.saveFile({ storageId, name: "numbers.txt" });
  const token = await ann.shares.create({ fileId, hours: 1, ...terms });
  const link = async () => (await ann.shares.list({ fileId })).find((each) => each.token === token);
  return { token, fileId, storageId, link };
}

/** Sends the form of the link's page. Returns the cookie of the download, or the URL of the redirect. */
async function begin(token: string, password = "") {
  const body = new URLSearchParams({ password });
  const response = await fetch(`/shares/${token}`, { method: "POST", body });
  const [cookie] = (response.headers.get("set-cookie") ?? "").split(";");
  return cookie || response.headers.get("location") || response.status;
}

const get = (token: string, cookie: unknown, range?: string) =>
  fetch(`/shares/${token}`, { headers: { Cookie: String(cookie), ...(range && { Range: range }) } });

test("leads to a page first, and to the file once a download has begun", async () => {
  const { token, link } = await share();
  expect(await nobody.shares.get({ token })).toEqual({
    name: "numbers.txt",
    size: 10,
    contentType: "text/plain",
    hasPassword: false,
  });
  expect((await get(token, "")).headers.get("location")).toBe(`/share/${token}`);
  expect(await link()).toMatchObject({ downloads: 0, hasPassword: false });
  const file = await get(token, await begin(token));
  expect([await file.text(), file.headers.get("content-disposition")]).toEqual([
    "0123456789",
    'attachment; filename="numbers.txt"',
  ]);
  expect(await link()).toMatchObject({ downloads: 1 });
});

test("counts several ranges of one download once, and refuses the next range when the link is taken back", async () => {
  const { token, link } = await share({ maxDownloads: 1 });
  const cookie = await begin(token);
  const ranges = ["bytes=0-3", "bytes=4-7"];
  const bodies = await Promise.all(ranges.map(async (range) => (await get(token, cookie, range)).text()));
  expect(bodies).toEqual(["0123", "4567"]);
  const found = await link();
  expect(found?.downloads).toBe(1);
  await expect(as("bob").shares.revoke({ linkId: found?._id ?? "" })).rejects.toThrow("does not exist");
  await ann.shares.revoke({ linkId: found?._id ?? "" });
  expect((await get(token, cookie, "bytes=8-9")).status).toBe(404);
  expect(await nobody.shares.get({ token })).toBeNull();
});

test("allows as many downloads as it says, also when they begin at once", async () => {
  const { token, link } = await share({ maxDownloads: 2 });
  const begun = await Promise.all(Array.from({ length: 5 }, () => begin(token)));
  expect(begun.filter((each) => each === `/share/${token}?gone`)).toHaveLength(3);
  expect(await link()).toMatchObject({ downloads: 2, maxDownloads: 2 });
  expect(await nobody.shares.get({ token })).toBeNull();
});

test("with a password, needs it, and refuses after ten tries in a minute", async () => {
  const { token, link } = await share({ password: "open sesame" });
  expect(await begin(token)).toBe(`/share/${token}?wrong`);
  expect(await (await get(token, await begin(token, "open sesame"))).text()).toBe("0123456789");
  const tries = [];
  for (let count = 0; count < 9; count++) tries.push(await begin(token, "guess"));
  expect(tries).toEqual([...Array(8).fill(`/share/${token}?wrong`), 429]);
  expect(await begin(token, "open sesame")).toBe(429);
  expect(await link()).toMatchObject({ downloads: 1, hasPassword: true });
});

test("accepts the passwords of links that were made before", async () => {
  const { token, link } = await share({ password: "other" });
  const passwordHash = "QwNtC9yw1p3Nd0VQkVWHlA.EHo3QDYqtPKtEe6bcnBuIc5VRnqDvQ8J7VBIMVi_QQE";
  await database.shareLink.update({ where: { id: (await link())?._id }, data: { passwordHash } });
  expect(await begin(token, "other")).toBe(`/share/${token}?wrong`);
  expect(await begin(token, "open sesame")).toMatch(/^share=/);
});

test("the cookie of one link opens no other, and a forged one none", async () => {
  const [one, other] = [await share(), await share()];
  const cookie = String(await begin(one.token));
  const forged = cookie.replace(/=\d+/, `=${Date.now() + 1e9}`);
  const statuses = [await get(other.token, cookie), await get(one.token, forged)].map(({ status }) => status);
  expect(statuses).toEqual([303, 303]);
});

test("an expired link and one whose file was deleted lead nowhere", async () => {
  const { token, storageId } = await share();
  const cookie = await begin(token);
  await ann.files.delete({ storageId });
  expect((await get(token, cookie)).status).toBe(404);
  expect(await begin(token)).toBe(`/share/${token}?gone`);
  await expect(ann.shares.create({ fileId: crypto.randomUUID(), hours: 1 })).rejects.toThrow("does not exist");
});

const release = internalMutation({
  args: { storageId: storageId() },
  handler: (ctx, { storageId }) => ctx.storage.release(storageId),
});

test("a link to a held file waits: nothing is counted, and nothing is told of the file", async () => {
  const storage = { onStored: [release], hold: true };
  const { runJobs } = testApp(kit.app({ functions: { files, shares, scans: { release } }, http, crons, storage }));
  const { token, link } = await share({ maxDownloads: 1 });
  expect([await nobody.shares.get({ token }), await begin(token)]).toEqual(["held", `/share/${token}?gone`]);
  expect([await link(), (await ann.files.list()).page[0]]).toMatchObject([{ downloads: 0 }, { url: null }]);
  await runJobs();
  expect(await (await get(token, await begin(token))).text()).toBe("0123456789");
});

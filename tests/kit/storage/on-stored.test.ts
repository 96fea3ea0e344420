import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { httpAction, internalAction, internalMutation, kit } from "~/kit";
import { prisma } from "~/kit/database/database";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { httpRouter } from "~/kit/http/http-router";
import { serveHttp } from "~/kit/http/serve-http";
import { cronJobs } from "~/kit/jobs/crons";
import { runDueJobs } from "~/kit/jobs/runner";
import { env } from "~/kit/process/env";
import { storageId } from "~/kit/storage/file";
import { loadAppBeforeFiles, type StorageOptions } from "~/kit/storage/options";
import { restoreFile } from "~/kit/storage/ownership";
import { serve } from "~/kit/storage/serve";
import { createFileUrl } from "~/kit/storage/tokens";
import { takeUpload } from "~/kit/storage/tus";
import { post, storage, streamOf } from "./kit";

const args = { storageId: storageId() };
const note = internalMutation({
  args,
  handler: (ctx, { storageId }) =>
    ctx.db.message.create({ data: { author: storageId, body: "stored", format: "text" } }),
});
const read: string[] = [];
const look = internalAction({
  args,
  handler: async (ctx, { storageId }) => {
    read.push(`${storageId} ${await (await ctx.storage.get(storageId, { held: true }))?.text()}`);
  },
});
const release = internalMutation({
  args,
  handler: async (ctx, { storageId }) => {
    const before = await ctx.storage.getUrl(storageId);
    await ctx.storage.release(storageId);
    return [before, await ctx.storage.getUrl(storageId)];
  },
});
const claim = internalMutation({
  args,
  handler: async (ctx, { storageId }) => [await ctx.storage.claim(storageId), await ctx.storage.getUrl(storageId)],
});

const http = httpRouter();
http.route({
  path: "/form",
  method: "POST",
  handler: httpAction(async (ctx, request) => {
    const { files } = await ctx.storage.receive(request, { photo: { max: 2 } });
    return Response.json(files.photo.map((file) => file.storageId));
  }),
});
http.route({
  pathPrefix: "/file/",
  method: "GET",
  handler: httpAction((ctx, request) => ctx.storage.serve(request, request.url.slice(-36))),
});
const fetchHttp = (path: string, init?: RequestInit) =>
  serveHttp(http)(new Request(`http://localhost:3000/http${path}`, init));

const app = (options: StorageOptions) =>
  kit.app({ functions: { files: { note, look, release, claim } }, http, crons: cronJobs(), storage: options });

const site = createServer((_, response) => response.end("abc"));
await new Promise<void>((listening) => site.listen(0, "127.0.0.1", listening));
const { port } = site.address() as AddressInfo;
afterAll(() => site.close());

async function byTus(): Promise<string> {
  const url = await storage.generateUploadUrl();
  const send = (method: string, headers: HeadersInit, body?: string) =>
    takeUpload(new Request(url, { method, headers: { "Tus-Resumable": "1.0.0", ...headers }, body }));
  await send("POST", { "Upload-Length": "3" });
  const type = "application/offset+octet-stream";
  return (await send("PATCH", { "Upload-Offset": "0", "Content-Type": type }, "abc")).headers.get("Storage-Id") ?? "";
}

const bytes = { abc: new Blob(["abc"]) };
async function byForm(): Promise<string[]> {
  const form = new FormData();
  form.append("photo", bytes.abc, "one.txt");
  form.append("photo", bytes.abc, "two.txt");
  return (await fetchHttp("/form", { method: "POST", body: form })).json();
}

const fromUrl = { resolve: async () => ["127.0.0.1"], isAllowed: () => true, ports: [port], maxSize: 100 };
const ways: [string, () => Promise<string[]>][] = [
  [
    "an upload URL",
    async () => [(await (await post(await storage.generateUploadUrl(), "abc")).json()).storageId as string],
  ],
  ["a resumable upload", async () => [await byTus()]],
  ["a form of two files", byForm],
  ["ctx.storage.store", async () => [await storage.store(bytes.abc)]],
  ["ctx.storage.storeFrom", async () => [await storage.storeFrom(`http://files.test:${port}/a.txt`, fromUrl)]],
];

const jobs = () => prisma.scheduledFunction.findMany({ where: { name: { startsWith: "files." } } });
beforeEach(async () => {
  read.length = 0;
  await prisma.scheduledFunction.deleteMany();
  await prisma.message.deleteMany();
});

test("the app is loaded before the first file, where the process has not loaded it", async () => {
  loadAppBeforeFiles(async () => app({ hold: true }));
  const ids = await Promise.all([storage.store(bytes.abc), storage.store(bytes.abc)]);
  for (const id of ids) expect(await storage.getUrl(id)).toBeNull();
});

describe("onStored", () => {
  test.each(ways)("runs each function once for each file that came by %s", async (_, store) => {
    app({ onStored: [note, look] });
    const ids = await store();
    expect((await jobs()).map(({ name, state }) => [name, state])).toEqual(
      expect.arrayContaining(
        ids.flatMap(() => [
          ["files.note", "pending"],
          ["files.look", "pending"],
        ]),
      ),
    );
    await runDueJobs(10_000);
    await runDueJobs(10_000);
    expect((await prisma.message.findMany()).map(({ author }) => author).sort()).toEqual([...ids].sort());
    expect([...read].sort()).toEqual(ids.map((id) => `${id} abc`).sort());
    expect((await jobs()).map(({ state }) => state)).toEqual(ids.flatMap(() => ["success", "success"]));
  });

  test("schedules nothing for an upload that is refused or breaks off", async () => {
    app({ onStored: [note] });
    const url = await storage.generateUploadUrl({ maxSize: 2 });
    expect((await post(url, "abc")).status).toBe(413);
    expect((await post(url, streamOf("a", new Error("gone")))).status).toBe(400);
    expect(await jobs()).toEqual([]);
  });

  test("refuses a function that no file of the app exports", () => {
    const lost = internalMutation({ args, handler: () => null });
    expect(() => app({ onStored: [lost] })).toThrow("storage.onStored has a function whose file");
  });
});

describe("hold", () => {
  const png = Buffer.from("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489", "hex");
  const requests = (id: string) => {
    const urls = [
      createFileUrl("http://localhost:3000", id),
      createFileUrl("http://localhost:3000", id, { width: 80 }),
    ];
    const inits: RequestInit[] = [{}, { method: "HEAD" }, { headers: { Range: "bytes=0-1" } }];
    const answers = urls.flatMap((url) => inits.map((init) => serve(new Request(url, init))));
    return Promise.all([...answers, ...inits.map((init) => fetchHttp(`/file/${id}`, init))]);
  };

  test("a held file is served in no way, and a function that asks for it can read it", async () => {
    app({ hold: true });
    const id = await storage.store(new Blob([png], { type: "image/png" }));
    expect((await requests(id)).map(({ status }) => status)).toEqual(Array(9).fill(404));
    expect([await storage.getUrl(id), await storage.getImage(id), await storage.get(id)]).toEqual([null, null, null]);
    expect((await storage.get(id, { held: true }))?.size).toBe(png.length);
    expect(await storage.getMetadata(id)).toMatchObject({ held: true, contentType: "image/png" });
  });

  test("a mutation claims it, gets no URL of it, and releases it at its commit", async () => {
    app({ hold: true });
    const { runMutation } = actionCtx(createSystemContext());
    const id = await storage.store(bytes.abc);
    expect(await runMutation(claim, { storageId: id })).toMatchObject([{ _id: id, held: true }, null]);
    expect(await runMutation(release, { storageId: id })).toEqual([null, expect.stringContaining(id)]);
    expect(await storage.getMetadata(id)).not.toHaveProperty("held");
    const url = (await storage.getUrl(id)) ?? "";
    expect(await (await serve(new Request(url))).text()).toBe("abc");
    // A second release changes nothing.
    await storage.release(id);
    expect((await serve(new Request(url))).status).toBe(200);
  });

  test("release of a file that is not there → NOT_FOUND", async () => {
    await expect(storage.release(crypto.randomUUID())).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("a held file that was deleted comes back held, and one from before this column is served", async () => {
    vi.spyOn(env, "DELETED_FILE_RETENTION_HOURS", "get").mockReturnValue(1);
    app({ hold: true });
    const [held, old] = [await storage.store(bytes.abc), await storage.store(bytes.abc)];
    await storage.release(old);
    for (const id of [held, old]) await storage.delete(id);
    await prisma.$executeRaw`UPDATE "_unowned_blobs" SET "file" = "file" - 'held' WHERE "fileId" = ${old}::uuid`;
    for (const id of [held, old]) expect(await restoreFile(prisma, id)).toBe(true);
    expect([await storage.getUrl(held), await storage.getUrl(old)]).toEqual([null, expect.any(String)]);
  });

  test("files that came without it are served at once", async () => {
    app({});
    const id = await storage.store(bytes.abc);
    expect(await storage.getUrl(id)).toEqual(expect.any(String));
  });
});

describe("detectedType", () => {
  const png = Buffer.from("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000049454e44", "hex");
  test.each<[string, BodyInit, string, string | undefined]>([
    ["a PNG that says it is text", new Blob([png]), "text/plain", "image/png"],
    ["a PNG in many chunks", streamOf(...[...png].map((byte) => new Uint8Array([byte]))), "image/jpeg", "image/png"],
    ["a PDF", "%PDF-1.7\n", "application/pdf", "application/pdf"],
    ["text that says it is a PNG", "abc", "image/png", undefined],
    ["nothing", "", "image/png", undefined],
  ])("%s", async (_, body, contentType, detectedType) => {
    app({});
    const answer = await post(await storage.generateUploadUrl(), body, { "Content-Type": contentType });
    const { storageId } = await answer.json();
    const found = await storage.getMetadata(storageId);
    expect([found?.contentType, found?.detectedType]).toEqual([contentType, detectedType]);
  });
});

describe("quota", () => {
  const by = (name: string) => {
    const system = createSystemContext();
    const identity = { tokenIdentifier: `issuer|${name}`, subject: name, issuer: "issuer" };
    return actionCtx({ ...system, identity: async () => identity });
  };

  test("is what a function of the app says, by identity", async () => {
    const asked: string[] = [];
    app({
      quota: async (ctx, identity) => {
        asked.push(identity);
        return (await ctx.db.message.count({ where: { owner: identity } })) > 0 ? 6 : null;
      },
    });
    await prisma.message.create({ data: { author: "a", body: "b", format: "text", owner: "issuer|small" } });
    const [small, other] = [by("small"), by("other")];
    await small.storage.store(bytes.abc);
    await small.storage.store(bytes.abc);
    await expect(small.storage.store(bytes.abc)).rejects.toMatchObject({ code: "BAD_REQUEST" });
    await other.storage.store(bytes.abc);
    expect(new Set(asked)).toEqual(new Set(["issuer|small", "issuer|other"]));
    // A mutation may also claim an upload without an owner.
    const id = await storage.store(bytes.abc);
    await expect(small.runMutation(claim, { storageId: id })).rejects.toThrow("would exceed your 6 bytes");
  });

  test("that is no number of bytes fails, and stores nothing", async () => {
    app({ quota: async () => -1 });
    await expect(by("any").storage.store(bytes.abc)).rejects.toThrow("storage.quota returned -1");
  });
});

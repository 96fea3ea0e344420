import { randomUUID } from "node:crypto";
import { afterEach, describe, expect, test, vi } from "vitest";
import { prisma } from "~/kit/database/database";
import { mutation } from "~/kit/functions/builders";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { limits } from "~/kit/process/limits";
import { blobs } from "~/kit/storage/blobs";
import { storageId } from "~/kit/storage/file";
import { countUnreferenced, deleteUnownedBlobs } from "~/kit/storage/garbage-collection";
import { defaultImageWidths } from "~/kit/storage/image-widths";
import { claimVariant, commitVariant, deleteFiles } from "~/kit/storage/ownership";
import { serve } from "~/kit/storage/serve";
import type { FileUrlOptions } from "~/kit/storage/tokens";
import { imageWidths, setImageWidths } from "~/kit/storage/tokens";
import { eventually } from "../../eventually";
import { everything, storage } from "../kit";
import { animation, apng, halves, look, oriented } from "./corpus";

const picture = new Uint8Array(await halves(800, 400).jpeg().toBuffer());
const modern = "image/avif,image/webp,image/apng,image/*,*/*;q=0.8";

const store = (bytes: Uint8Array<ArrayBuffer> = picture) =>
  storage.store(new Blob([bytes]), { contentType: "image/jpeg" });

const imageOf = async (id: string) => (await prisma.storage.findUniqueOrThrow({ where: { id } })).image;

async function urlOf(id: string, options: FileUrlOptions): Promise<string> {
  const url = await storage.getUrl(id, options);
  if (url === null) throw new Error(`There is no file ${id}`);
  return url;
}

const ask = (url: string, headers: HeadersInit = {}, method = "GET") => serve(new Request(url, { method, headers }));
const variantsOf = (fileId: string) =>
  prisma.storageVariant.findMany({ where: { fileId }, omit: { blobKey: false }, orderBy: { width: "asc" } });

afterEach(() => vi.restoreAllMocks());

describe("an image by its URL", () => {
  test("is served with the headers of a file, its own digest, and Vary", async () => {
    const url = await urlOf(await store(), { width: 320 });
    const response = await ask(url, { Accept: modern });
    const body = new Uint8Array(await response.arrayBuffer());
    expect(response.status).toBe(200);
    expect(await look(body)).toMatchObject({ width: 320, height: 160, left: "red", right: "blue" });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "image/avif",
      "content-length": String(body.length),
      "content-disposition": "inline",
      "cache-control": "private, max-age=2592000, immutable, no-transform",
      "accept-ranges": "bytes",
      vary: "Accept",
    });
    const again = await ask(url, { Accept: modern, "If-None-Match": response.headers.get("etag") ?? "" });
    expect([again.status, again.headers.get("vary")]).toEqual([304, "Accept"]);
    const part = await ask(url, { Accept: modern, Range: "bytes=4-7" });
    expect([part.status, await part.text()]).toEqual([206, "ftyp"]);
    const head = await ask(url, { Accept: modern }, "HEAD");
    expect([head.status, head.headers.get("content-length")]).toEqual([200, String(body.length)]);
  });

  test.each([
    [modern, "image/avif"],
    ["image/webp,*/*", "image/webp"],
    ["image/avif;q=0, IMAGE/WEBP;q=0.5", "image/webp"],
    ["image/*,*/*;q=0.8", "image/jpeg"],
    [undefined, "image/jpeg"],
  ])("with Accept %s is %s", async (accept, type) => {
    const response = await ask(await urlOf(await store(), { width: 80 }), accept ? { Accept: accept } : {});
    expect([response.status, response.headers.get("content-type")]).toEqual([200, type]);
  });

  test("of a named format has that format, and no Vary", async () => {
    const response = await ask(await urlOf(await store(), { width: 80, format: "webp" }), { Accept: "*/*" });
    expect([response.headers.get("content-type"), response.headers.get("vary")]).toEqual(["image/webp", null]);
  });

  test("has all widths of the list by one URL, and no other", async () => {
    const url = new URL(await urlOf(await store(), { width: 320, height: 160, format: "webp" }));
    for (const width of imageWidths) {
      url.searchParams.set("width", String(width));
      expect(await look(await (await ask(url.href)).arrayBuffer())).toMatchObject({ width: Math.min(800, width) });
    }
    for (const width of ["321", "0", "-1", "1e9", "0320", " 320", "320.0", ""]) {
      url.searchParams.set("width", width);
      const response = await ask(url.href);
      expect([width, response.status, await response.json()]).toMatchObject([
        width,
        400,
        { code: "InvalidImageWidth" },
      ]);
    }
    expect((await ask(`${url.href.replace("width=", "width=320")}&width=640`)).status).toBe(400);
    expect((await ask(url.href.replace(/&?width=/, ""))).status).toBe(400);
  });

  test("has the widths that the app lists, and no other", async () => {
    const id = await store();
    const before = await urlOf(id, { width: 320, format: "webp" });
    setImageWidths([400, 200, 400]);
    try {
      const url = await urlOf(id, { width: 200, format: "webp" });
      expect(await look(await (await ask(url)).arrayBuffer())).toMatchObject({ width: 200 });
      expect((await ask(url.replace("width=200", "width=320"))).status).toBe(400);
      await expect(storage.getUrl(id, { width: 320 })).rejects.toThrow("the widths are 200, 400");
      const more = url.replace("widths=200", "widths=320%2C200").replace("width=200", "width=320");
      expect((await ask(more)).status).toBe(404);
      // URLs have their list with them, also in a process that knows another, and after the list was changed.
      expect((await ask(before)).status).toBe(200);
      setImageWidths(defaultImageWidths);
      expect((await ask(url)).status).toBe(200);
    } finally {
      setImageWidths(defaultImageWidths);
    }
  });

  test.each([[[]], [[0]], [[1.5]], [[10_000]], [Array.from({ length: 21 }, (_, n) => n + 1)]])(
    "cannot have the widths %j",
    (widths) => expect(() => setImageWidths(widths)).toThrow("imageWidths has ["),
  );

  test("cannot be made of another signed URL", async () => {
    const id = await store();
    const file = (await storage.getUrl(id)) ?? "";
    const image = await urlOf(id, { width: 320, height: 240, format: "webp", expiresIn: 60_000 });
    for (const forged of [
      image.replace("webp", "avif"),
      image.replace("shape=4x3", "shape=1x1"),
      image.replace("&shape=4x3", ""),
      image.replace("format=webp&", ""),
      image.replace(/expires=\d/, "expires=9"),
      image.replace("format=webp", "format=webp&format=avif"),
      image.replace(/\?.*/, ""),
      `${image}&download=a.html`,
    ]) {
      expect([forged, (await ask(forged)).status]).toEqual([forged, 404]);
    }
    const plain = await ask(`${file}?width=80&format=webp`);
    expect(new Uint8Array(await plain.arrayBuffer())).toEqual(picture);
  });

  test.each<[string, FileUrlOptions]>([
    ["a width that is not in the list", { width: 300 }],
    ["a height without a width", { height: 100 }],
    ["a fit without a height", { width: 320, fit: "cover" }],
    ["a height of nothing", { width: 320, height: 0 }],
    ["another format", { format: "svg" as "webp" }],
  ])("getUrl refuses %s", async (_, options) => {
    await expect(storage.getUrl(await store(), options)).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("names the same image when only the size of the shape differs", async () => {
    const id = await store();
    const [one, other] = await Promise.all([
      urlOf(id, { width: 640, height: 480 }),
      urlOf(id, { width: 320, height: 240 }),
    ]);
    expect(other.replace("width=320", "width=640")).toBe(one);
  });

  test("expires and is downloaded as the URL of a file", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const url = await urlOf(await store(), { width: 80, expiresIn: 60_000, downloadAs: "a.webp" });
    const response = await ask(url);
    expect(response.headers.get("content-disposition")).toBe('attachment; filename="a.webp"');
    vi.setSystemTime(Date.now() + 90_000);
    expect((await ask(url)).status).toBe(410);
    vi.useRealTimers();
  });

  test.each([
    ["NotAnImage", Uint8Array.from(Buffer.from("text"))],
    ["ImageUnreadable", picture.slice(0, picture.length / 2)],
  ])("answers 422 %s, and does not decode it again", async (code, bytes) => {
    const id = await store(bytes);
    // The server examines a possible image once more, in the background.
    if (code === "ImageUnreadable") await vi.waitFor(async () => expect(await imageOf(id)).not.toBeNull());
    const get = vi.spyOn(blobs, "get");
    const url = await urlOf(id, { width: 80 });
    for (let time = 0; time < 2; time++) {
      const response = await ask(url);
      expect([response.status, response.headers.get("cache-control")]).toEqual([422, "no-store"]);
      expect(await response.json()).toMatchObject({ code });
    }
    expect(get).toHaveBeenCalledOnce();
  });

  test("of an APNG is the file", async () => {
    const bytes = await apng();
    const response = await ask(await urlOf(await store(bytes), { width: 80 }), { Accept: modern });
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
    expect(response.headers.get("vary")).toBe("Accept");
  });

  test("of an animation moves, and of a turned photograph is upright", async () => {
    const gif = await ask(await urlOf(await store(await animation("gif")), { width: 80 }), { Accept: modern });
    expect((await look(await gif.arrayBuffer(), { frame: 2 })).left).toBe("blue");
    const turned = await ask(await urlOf(await store(await oriented(6)), { width: 80 }), { Accept: modern });
    expect(await look(await turned.arrayBuffer())).toMatchObject({ width: 80, height: 40, left: "red" });
  });
});

describe("an image is made once", () => {
  test("for many requests at the same time", async () => {
    const put = vi.spyOn(blobs, "put");
    const url = await urlOf(await store(), { width: 160 });
    put.mockClear();
    const responses = await Promise.all(Array.from({ length: 30 }, () => ask(url, { Accept: modern })));
    expect(new Set(responses.map(({ status, headers }) => `${status} ${headers.get("etag")}`)).size).toBe(1);
    expect(put).toHaveBeenCalledOnce();
  });

  const key = (storageId: string) => ({ storageId, width: 160, shape: "", format: "webp" }) as const;

  test("by the process that claimed it, for which others wait", async () => {
    const id = await store();
    const blobKey = randomUUID();
    expect(await claimVariant(prisma, key(id), blobKey)).toBe(true);
    expect(await claimVariant(prisma, key(id), randomUUID())).toBe(false);
    const waiting = ask(await urlOf(id, { width: 160, format: "webp" }));
    const bytes = Uint8Array.from(Buffer.from("made elsewhere"));
    await blobs.put(
      blobKey,
      (async function* () {
        yield bytes;
      })(),
      "image/webp",
      bytes.length,
    );
    const outcome = { result: "made", sha256: "0".repeat(64), size: bytes.length, contentType: "image/webp" } as const;
    expect(await commitVariant(prisma, key(id), blobKey, outcome)).toBe(true);
    expect(await (await waiting).text()).toBe("made elsewhere");
  });

  test("by another process when the first has died", async () => {
    const id = await store();
    const dead = randomUUID();
    await claimVariant(prisma, key(id), dead);
    await prisma.storageVariant.updateMany({ where: { fileId: id }, data: { leaseUntil: new Date(0) } });
    const response = await ask(await urlOf(id, { width: 160, format: "webp" }));
    expect(await look(await response.arrayBuffer())).toMatchObject({ width: 160 });
    const outcome = { result: "made", sha256: "0".repeat(64), size: 1, contentType: "image/webp" } as const;
    expect(await commitVariant(prisma, key(id), dead, outcome)).toBe(false);
  });

  test("again when the store has lost it", async () => {
    const id = await store();
    const url = await urlOf(id, { width: 160 });
    const first = await ask(url);
    const [made] = await variantsOf(id);
    await blobs.delete(made?.blobKey ?? "");
    const again = await ask(url);
    expect([again.status, again.headers.get("etag")]).toEqual([200, first.headers.get("etag")]);
    expect((await again.arrayBuffer()).byteLength).toBe((await first.arrayBuffer()).byteLength);
  });

  test("again after the store failed", async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const id = await store();
    const url = await urlOf(id, { width: 160 });
    const put = vi.spyOn(blobs, "put").mockRejectedValue(new Error("The store is down"));
    expect((await ask(url)).status).toBe(500);
    put.mockRestore();
    expect((await ask(url)).status).toBe(200);
  });
});

describe("a file owns its images", () => {
  const remove = mutation({
    args: { storageId: storageId() },
    handler: (ctx, { storageId }) => ctx.storage.delete(storageId),
  });
  const made = async (...widths: number[]) => {
    const id = await store();
    for (const width of widths) expect((await ask(await urlOf(id, { width }))).status).toBe(200);
    return id;
  };

  /** Deletes what earlier tests left. */
  const age = async () => {
    await prisma.unownedBlob.updateMany({ data: { deleteAfter: new Date(0) } });
    await deleteUnownedBlobs();
  };

  test("they go with it, rows and bytes, and their URLs answer 404", async () => {
    await age();
    const before = await everything();
    const id = await made(80, 160, 320);
    const url = await urlOf(id, { width: 80 });
    await actionCtx(createSystemContext()).runMutation(remove, { storageId: id });
    expect((await ask(url)).status).toBe(404);
    expect(await variantsOf(id)).toEqual([]);
    await eventually(async () => expect(await everything()).toEqual(before));
  });

  test("they are listed in the statement that deletes the file", async () => {
    const id = await made(80, 160);
    const keys = (await variantsOf(id)).map(({ blobKey }) => blobKey);
    await prisma.$transaction(async (client) => {
      await deleteFiles(client, [id]);
      const listed = await client.unownedBlob.findMany({ where: { blobKey: { in: keys } } });
      expect(listed).toHaveLength(2);
    });
    await deleteUnownedBlobs();
    for (const blobKey of keys) expect(await blobs.head(blobKey)).toBeNull();
  });

  test("one that is being made when its file is deleted leaves nothing", async () => {
    await age();
    const before = await everything();
    const id = await store();
    const url = await urlOf(id, { width: 80 });
    const put = blobs.put;
    vi.spyOn(blobs, "put").mockImplementation(async (...args) => {
      await deleteFiles(prisma, [id]);
      await deleteUnownedBlobs();
      return put(...args);
    });
    expect((await ask(url)).status).toBe(404);
    await eventually(async () => expect(await everything()).toEqual(before));
  });

  test("they do not keep their file: it counts as unreferenced", async () => {
    const id = await made(80);
    const { files } = await countUnreferenced();
    await prisma.$transaction([
      prisma.$executeRaw`SELECT set_config('storage.row', '*', true)`,
      prisma.$executeRaw`UPDATE "_storage" SET "_creationTime" = now() - interval '2 days' WHERE "_id" = ${id}::uuid`,
    ]);
    expect((await countUnreferenced()).files).toBe(files + 1);
  });

  test("at most so many of them: the oldest go", async () => {
    const most = vi.spyOn(limits, "variantsOfFile", "get").mockReturnValue(2);
    const id = await made(80, 160, 320);
    expect((await variantsOf(id)).map(({ width }) => width)).toEqual([160, 320]);
    most.mockRestore();
  });

  test("a function cannot write them", async () => {
    const id = await made(80);
    const forge = mutation({
      handler: (ctx) => ctx.db.$executeRaw`UPDATE "_storage_variants" SET "blobKey" = 'x' WHERE "fileId" = ${id}::uuid`,
    });
    await expect(actionCtx(createSystemContext()).runMutation(forge, {})).rejects.toThrow("read-only");
  });
});

import { readdir, readlink } from "node:fs/promises";
import { prisma } from "~/kit/database/database";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { upload } from "~/kit/storage/upload";

/** `ctx.storage` of an action. */
export const { storage } = actionCtx(createSystemContext());

/** POSTs `body` to an upload URL, without a server. */
export function post(url: string, body: BodyInit | null, headers: HeadersInit = {}): Promise<Response> {
  const init: RequestInit & { duplex: "half" } = { method: "POST", body, headers, duplex: "half" };
  return upload(new Request(url, init));
}

/** Uploads a file through a URL and returns its storage id. */
export async function uploadFile(body: BodyInit, contentType = "image/png"): Promise<string> {
  const response = await post(await storage.generateUploadUrl(), body, { "Content-Type": contentType });
  const answer: { storageId: string } = await response.json();
  return answer.storageId;
}

/** Everything in the storage: ids of files, keys of unowned blobs, and blobs on the disk. */
export async function everything() {
  const files = await prisma.storage.findMany({ select: { id: true }, orderBy: { id: "asc" } });
  const unowned = await prisma.unownedBlob.findMany({ select: { blobKey: true }, orderBy: { blobKey: "asc" } });
  const folder = process.env.STORAGE_DISK_PATH ?? "";
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return {
    files,
    unowned,
    blobs: entries
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name)
      .sort(),
  };
}

/** How many files below `folder` the process has open. Works on Linux only. */
export async function openFiles(folder = process.env.STORAGE_DISK_PATH ?? ""): Promise<number> {
  const descriptors = process.platform === "linux" ? await readdir("/proc/self/fd") : [];
  const paths = await Promise.all(descriptors.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "closed")));
  return paths.filter((path) => path.startsWith(folder)).length;
}

type Piece = string | Uint8Array<ArrayBuffer> | Error;

/** A body that makes each piece when it is read. It breaks off at an error. */
export function streamOf(...pieces: (Piece | (() => Promise<Piece>))[]) {
  const rest = [...pieces];
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const next = rest.shift();
        const piece = typeof next === "function" ? await next() : next;
        if (piece instanceof Error) throw piece;
        if (piece === undefined) controller.close();
        else controller.enqueue(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
      },
    },
    { highWaterMark: 0 },
  );
}

import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import * as tus from "tus-js-client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { deleteUnownedBlobs } from "~/kit/storage/garbage-collection";
import { everything, storage } from "../storage/kit";
import { type BundledServer, bundleServer, type ServerProcess } from "./server-process";

const mebibyte = 2 ** 20;
const bytes = randomBytes(24 * mebibyte + 5);
const version = { "Tus-Resumable": "1.0.0" };

let bundled: BundledServer;
let server: ServerProcess;
let line: Awaited<ReturnType<typeof openLine>>;

beforeAll(async () => {
  bundled = await bundleServer();
  line = await openLine();
  await start();
  // The first garbage collection of a new store writes a blob with the store's id.
  await deleteUnownedBlobs();
}, 120_000);

afterAll(async () => {
  line.close();
  await kill();
  await bundled.remove();
});

async function start(): Promise<void> {
  server = await bundled.launch({});
  line.target = Number(new URL(server.origin).port);
}

async function kill(): Promise<void> {
  if (server.child.exitCode !== null || server.child.signalCode !== null) return;
  const ended = once(server.child, "exit");
  server.child.kill("SIGKILL");
  await ended;
}

/** A line to the server, which can be cut after so many bytes and then kills the server too if it is told so. */
async function openLine() {
  const state = { target: 0, cutAfter: Number.POSITIVE_INFINITY, onCut: async (): Promise<void> => undefined };
  const proxy = createServer((client) => {
    const upstream = connect(state.target, "127.0.0.1");
    let sent = 0;
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    client.on("data", (chunk) => {
      sent += chunk.byteLength;
      if (sent > state.cutAfter) {
        state.cutAfter = Number.POSITIVE_INFINITY;
        void state.onCut().then(end);
        return client.pause();
      }
      if (!upstream.write(chunk)) {
        client.pause();
        upstream.once("drain", () => client.resume());
      }
    });
    client.on("end", () => upstream.end());
    upstream.pipe(client);
    for (const socket of [client, upstream]) socket.on("error", end);
    upstream.on("close", (isBroken) => isBroken && end());
    client.on("close", () => upstream.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as AddressInfo;
  return Object.assign(state, { origin: `http://127.0.0.1:${port}`, close: () => proxy.close() });
}

const uploadUrl = async () =>
  (await storage.generateUploadUrl({ contentTypes: ["video/*"] })).replace(/^https?:\/\/[^/]+/, line.origin);

/** Sends a request; `null` when the connection broke. */
function ask(method: string, url: string, headers: Record<string, string>, body = Buffer.alloc(0)) {
  return new Promise<{ status?: number; headers: Record<string, unknown> } | null>((resolve) => {
    const sent = request(url, {
      method,
      agent: false,
      headers: { ...version, "Content-Length": body.length, ...headers },
    });
    sent.on("response", (response) => {
      response.resume().on("end", () => resolve({ status: response.statusCode, headers: response.headers }));
    });
    sent.on("error", () => resolve(null));
    sent.end(body);
  });
}

async function expectOneFile(storageId: unknown): Promise<void> {
  const { files, blobs } = await everything();
  expect(await storage.getMetadata(String(storageId))).toMatchObject({
    size: bytes.length,
    contentType: "video/mp4",
    sha256: createHash("sha256").update(bytes).digest("hex"),
  });
  // Blobs of files, and the mark of the store.
  expect([blobs.length, await prisma.unfinishedUpload.count(), await prisma.unownedBlob.count()]).toEqual([
    files.length + 1,
    0,
    0,
  ]);
}

test("a server killed during and between requests: no acknowledged byte is asked for again, and the file is whole", async () => {
  const url = await uploadUrl();
  const filetype = Buffer.from("video/mp4").toString("base64");
  const begun = await ask("POST", url, {
    "Upload-Length": String(bytes.length),
    "Upload-Metadata": `filetype ${filetype}`,
  });
  expect(begun).toMatchObject({ status: 201 });
  let acknowledged = 0;
  let storageId: unknown;
  for (let round = 0; !storageId && round < 12; round++) {
    // After a crash the upload is locked for some seconds.
    let head = await ask("HEAD", url, {});
    while (head?.status === 423) head = await ask("HEAD", url, {});
    expect(head?.status).toBe(200);
    const offset = Number(head?.headers["upload-offset"]);
    expect(offset).toBeGreaterThanOrEqual(acknowledged);
    storageId = head?.headers["storage-id"];
    if (storageId) break;
    const during = round < 6 && round % 2 === 0;
    let killed: Promise<void> | undefined;
    line.cutAfter = during ? 3 * mebibyte + round * 100_000 : Number.POSITIVE_INFINITY;
    line.onCut = () => {
      killed = kill();
      return killed;
    };
    const end = round < 6 ? offset + 4 * mebibyte : bytes.length;
    const headers = { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
    const answer = await ask("PATCH", url, headers, bytes.subarray(offset, end));
    acknowledged = answer ? Number(answer.headers["upload-offset"]) : offset;
    storageId = answer?.headers["storage-id"];
    if (round < 4 && !during) killed = kill();
    await killed;
    if (killed) await start();
  }
  await expectOneFile(storageId);
}, 240_000);

test("two processes take turns", async () => {
  const other = await bundled.launch({});
  const ports = [line.target, Number(new URL(other.origin).port)];
  const url = await uploadUrl();
  const filetype = Buffer.from("video/mp4").toString("base64");
  const begun = await ask("POST", url, {
    "Upload-Length": String(bytes.length),
    "Upload-Metadata": `filetype ${filetype}`,
  });
  expect(begun).toMatchObject({ status: 201 });
  let storageId: unknown;
  for (let offset = 0; offset < bytes.length; offset += 5 * mebibyte) {
    line.target = ports.reverse()[0] ?? 0;
    const headers = { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
    const answer = await ask("PATCH", url, headers, bytes.subarray(offset, offset + 5 * mebibyte));
    expect(answer?.status).toBe(204);
    storageId = answer?.headers["storage-id"];
  }
  line.target = Number(new URL(server.origin).port);
  other.child.kill("SIGKILL");
  await expectOneFile(storageId);
}, 120_000);

test("tus-js-client, with lines that are cut and a server that is killed", async () => {
  const url = await uploadUrl();
  let acknowledged = 0;
  let cuts = 0;
  let storageId: string | undefined;
  line.cutAfter = 7 * mebibyte;
  line.onCut = async () => {
    cuts += 1;
    if (cuts < 3) line.cutAfter = 5 * mebibyte;
    if (cuts !== 2) return;
    await kill();
    await start();
  };
  await new Promise<void>((resolve, reject) => {
    const upload = new tus.Upload(bytes, {
      endpoint: url,
      chunkSize: 9 * mebibyte,
      metadata: { filename: "film.mp4", filetype: "video/mp4" },
      retryDelays: Array.from({ length: 40 }, () => 300),
      onBeforeRequest: (sent) => {
        const offset = sent.getHeader("Upload-Offset");
        if (sent.getMethod() === "PATCH") expect(Number(offset)).toBeGreaterThanOrEqual(acknowledged);
      },
      onAfterResponse: (_, answer) => {
        acknowledged = Math.max(acknowledged, Number(answer.getHeader("Upload-Offset") ?? 0));
        storageId = answer.getHeader("Storage-Id") ?? storageId;
      },
      onSuccess: () => resolve(),
      onError: reject,
    });
    upload.start();
  });
  expect(cuts).toBe(3);
  await expectOneFile(storageId);
}, 120_000);

test("curl, by the commands of docs/protocol.md", async () => {
  const page = await readFile("docs/protocol.md", "utf8");
  const [, commands = ""] = /```sh\n(curl --request POST[\s\S]*?)```/.exec(page) ?? [];
  const resume = commands.slice(commands.indexOf("offset="));
  const folder = await mkdtemp(join(tmpdir(), "curl-"));
  await writeFile(join(folder, "film.mp4"), bytes);
  const run = (script: string) =>
    promisify(execFile)("sh", ["-c", script], { cwd: folder, env: { ...process.env, UPLOAD_URL: url } });
  const url = await uploadUrl();
  line.onCut = async () => undefined;
  line.cutAfter = 10 * mebibyte;
  await expect(run(commands)).rejects.toThrow();
  await wait(100);
  const { stdout } = await run(resume);
  expect(stdout).toContain("204 No Content");
  await expectOneFile(/^storage-id: (.*?)\r?$/im.exec(stdout)?.[1]);
  await rm(folder, { recursive: true });
}, 60_000);

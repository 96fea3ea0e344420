import { createHash, randomBytes } from "node:crypto";
import { prisma } from "~/kit/database/database";
import { processWide } from "~/kit/process/process-wide";
import { blobs } from "~/kit/storage/blobs";
import { deleteUnownedBlobs, forgetUnfinishedUploads } from "~/kit/storage/garbage-collection";
import { deleteFile } from "~/kit/storage/ownership";
import { storeIdKey } from "~/kit/storage/store-id";
import { createUploadUrl } from "~/kit/storage/tokens";
import { takeUpload } from "~/kit/storage/tus";
import type { Random } from "../../crash/random";
import { streamOf } from "../kit";
import { actLate, withFaults } from "./faults";

/** What a history goes through. */
export interface History {
  random: Random;
  /** The rate at which calls fail. */
  faults: number;
  /** What happened, for the report of a failure. */
  lines: string[];
  /** Bytes of a part, around which offsets are interesting. */
  partBytes: number;
  /** Changes something between two requests, for example which of two stores is the first. */
  disturb(): void;
  /** Unfinished uploads and temporary files that the store keeps. Both must be none at the end. */
  leftovers(): Promise<number>;
}

type Answer = { status: number; code: string | null; offset: number | null; storageId: string | null };

const chunkType = "application/offset+octet-stream";

/** One upload URL, what its clients have sent, and what they were told. */
export class Upload {
  readonly url = createUploadUrl("http://app.test");
  readonly bytes: Buffer<ArrayBuffer>;
  /** The offset that the client was told last. */
  known = 0;
  /** The largest offset that a client was told, and that must never be asked for again. */
  acknowledged = 0;
  private hasBegun = false;
  private mayBeGone = false;
  storageId: string | null = null;

  constructor(
    private readonly history: History,
    size: number,
  ) {
    this.bytes = randomBytes(size);
  }

  get sha256(): string {
    return createHash("sha256").update(this.bytes).digest("hex");
  }

  fail(message: string): never {
    throw new Error(`${message}\n${this.history.lines.join("\n")}`);
  }

  /** Sends a request, during which calls fail. */
  async ask(method: string, headers: Record<string, string> = {}, body: BodyInit | null = null): Promise<Answer> {
    const { random, faults, lines } = this.history;
    // A client that comes back after a crash waits until the lease of the dead request ends.
    await prisma.$executeRaw`UPDATE "_unfinished_uploads" SET "writerUntil" = now() - interval '1 second' WHERE "writer" IS NOT NULL`;
    if (random.chance(0.3)) await actLate();
    this.history.disturb();
    const protocol: Record<string, string> = method === "PLAIN" ? {} : { "Tus-Resumable": "1.0.0" };
    const init: RequestInit & { duplex: "half" } = {
      method: method === "PLAIN" ? "POST" : method,
      headers: { ...protocol, ...headers },
      body,
      duplex: "half",
    };
    lines.push(`  ${method} ${JSON.stringify(headers)}`);
    const response = await withFaults(random, faults, lines, () => takeUpload(new Request(this.url, init)));
    const text = await response.text();
    const json = text ? (JSON.parse(text) as { code?: string; storageId?: string }) : {};
    const offset = response.headers.get("Upload-Offset");
    const answer = {
      status: response.status,
      code: json.code ?? null,
      offset: offset === null ? null : Number(offset),
      storageId: response.headers.get("Storage-Id") ?? json.storageId ?? null,
    };
    lines.push(`  → ${Object.values(answer).join(" ")}`);
    await this.check(method, answer);
    return answer;
  }

  /** Compares an answer with what the client was told before. */
  private async check(method: string, { status, code, offset, storageId }: Answer): Promise<void> {
    if (code === "InternalServerError") this.fail("The answer is 500");
    if (status >= 500 && this.history.faults === 0)
      this.fail("The answer is an error, although nothing fails any more");
    if (storageId) {
      this.storageId ??= storageId;
      if (this.storageId !== storageId) this.fail("A second file was made");
      await this.expectFile();
    }
    if (method === "DELETE") {
      if (status === 204 && this.storageId) this.fail("The file was answered, and its upload was deleted");
      if (status === 204) this.forget();
      // The request may have had its effect although it failed, and may be completed later.
      else if (status >= 500 || status === 423) this.mayBeGone = true;
    }
    if (code === "UploadNotFound") {
      if (this.storageId || (this.hasBegun && !this.mayBeGone)) this.fail("The upload is gone");
      this.forget();
    }
    if (offset === null || method === "DELETE") return;
    if (offset > this.bytes.length) this.fail("The offset is behind the end");
    if (offset < this.acknowledged && !this.storageId) {
      if (!this.mayBeGone)
        this.fail(`Byte ${offset} is asked for again, although ${this.acknowledged} were acknowledged`);
      this.acknowledged = 0;
    }
    this.hasBegun = true;
    this.known = offset;
    this.acknowledged = Math.max(this.acknowledged, offset);
  }

  private forget(): void {
    this.hasBegun = false;
    this.mayBeGone = false;
    this.known = 0;
    this.acknowledged = 0;
  }

  async expectFile(): Promise<void> {
    const row = await prisma.storage.findUnique({
      where: { id: this.storageId ?? "" },
      select: { blobKey: true, sha256: true, size: true },
    });
    if (!row) this.fail("The file has no row");
    const stored = await blobs.get(row.blobKey);
    const found = stored && Buffer.from(await new Response(stored).arrayBuffer());
    if (row.sha256 !== this.sha256 || Number(row.size) !== this.bytes.length || !found?.equals(this.bytes))
      this.fail("The file is wrong");
  }

  create(withBytes = 0): Promise<Answer> {
    const { random } = this.history;
    const headers = { "Upload-Length": String(this.bytes.length) };
    if (withBytes === 0) return this.ask("POST", headers);
    const body = brokenBody(random, this.bytes.subarray(0, withBytes), random.chance(0.3));
    return this.ask("POST", { ...headers, "Content-Type": chunkType }, body);
  }

  async patch(from: number, to: number, { breaks = false, checksum = "" } = {}): Promise<void> {
    const { random } = this.history;
    const bytes = Buffer.concat([this.bytes.subarray(from, to), Buffer.alloc(Math.max(0, to - this.bytes.length))]);
    const digest = checksum && createHash(checksum).update(bytes).digest("base64");
    const isWrong = checksum !== "" && random.chance(0.2);
    const headers = {
      "Upload-Offset": String(from),
      "Content-Type": chunkType,
      ...(random.chance(0.5) && { "Content-Length": String(bytes.length) }),
      ...(checksum && { "Upload-Checksum": `${checksum} ${isWrong ? digest.toLowerCase() : digest}` }),
    };
    const { status, code, offset } = await this.ask("PATCH", headers, brokenBody(random, bytes, breaks));
    // Behind the end of a file that is made, the server ignores what comes.
    const isTaken = status === 204 && from < this.bytes.length;
    if (isTaken && (breaks || isWrong || to > this.bytes.length)) this.fail("A request that is wrong was taken");
    if (isTaken && offset !== to) this.fail(`Bytes up to ${to} were sent, and ${offset} taken`);
    const expected: (string | null)[] = [null, "OffsetMismatch", "UploadNotFound", "UploadLocked", "StorageTokenUsed"];
    if (status >= 500 || expected.includes(code)) return;
    if (code === "IncompleteBody" && breaks) return;
    if (code === "ChecksumMismatch" && isWrong) return;
    if (code === "FileTooLarge" && to > this.bytes.length) return;
    this.fail(`The answer ${code} is none that the request explains`);
  }

  /** Continues as a client does, while nothing fails. */
  async finish(): Promise<void> {
    this.history.faults = 0;
    this.history.lines.push("  -- nothing fails any more");
    for (let round = 0; round < 8; round++) {
      const found = await this.ask("HEAD");
      if (found.storageId) return;
      if (found.status === 404) {
        const { storageId } = await this.create();
        if (storageId) return;
      }
      if (this.known === this.bytes.length) this.fail("All bytes are there, and HEAD makes no file of them");
      await this.patch(this.known, this.bytes.length);
      if (this.storageId) return;
    }
    this.fail("The upload does not end");
  }
}

/** The bytes in pieces, which may break off. Time passes between some of them, so that progress is recorded. */
function brokenBody(random: Random, bytes: Buffer<ArrayBuffer>, breaks: boolean): ReadableStream {
  const pieces: (Uint8Array<ArrayBuffer> | Error | (() => Promise<Uint8Array<ArrayBuffer>>))[] = [];
  const end = breaks ? random.below(bytes.length + 1) : bytes.length;
  for (let at = 0; at < end; ) {
    const next = Math.min(end, at + 1 + random.below(bytes.length));
    const piece = Uint8Array.from(bytes.subarray(at, next));
    const pauses = random.chance(0.2);
    pieces.push(async () => {
      if (pauses) clock.skip(2_100);
      return piece;
    });
    at = next;
  }
  return streamOf(...pieces, ...(breaks ? [new Error("The client went away")] : []));
}

/** The clock of the process, which a history sets forward. */
export const clock = {
  skipped: 0,
  skip(ms: number) {
    this.skipped += ms;
  },
};

/** A random history of requests with tus and of plain requests. At its end the file is made, or the upload is given up. */
export async function resumableHistory(history: History): Promise<void> {
  const { random, partBytes } = history;
  const size = 1 + random.below(random.pick([3, partBytes, 2 * partBytes, 5 * partBytes]));
  const upload = new Upload(history, size);
  history.lines.push(`${size} bytes`);
  const end = random.pick(["finished", "finished", "finished", "given up"]);
  if (random.chance(0.8)) await upload.create(random.chance(0.3) ? random.below(size + 1) : 0);
  for (let steps = 3 + random.below(12); steps > 0; steps--) {
    const dice = random.below(100);
    if (dice < 10) await upload.create(random.chance(0.3) ? random.below(size + 1) : 0);
    else if (dice < 25) await upload.ask("HEAD");
    else if (dice < 28) await upload.ask("DELETE");
    else if (dice < 31) await upload.ask("PLAIN", {}, brokenBody(random, upload.bytes, random.chance(0.5)));
    else {
      const from = random.chance(0.9) ? upload.known : random.below(size + 1);
      const length = random.pick([0, 1, random.below(partBytes), partBytes, random.below(size), size, size, size + 1]);
      const to = length > size ? size + 1 : Math.min(size, from + length);
      const checksum = random.pick(["", "", "sha1", "sha256"]);
      await upload.patch(from, Math.max(from, to), { breaks: random.chance(0.25), checksum });
    }
  }
  if (end === "finished") await upload.finish();
  await expectNothingLeft(history, upload.storageId);
}

const held = processWide("parts of uploads", () => ({ receiving: 0, sending: 0, inFiles: 0, waiting: [] }));

/** Deletes the file, lets all that is unowned expire, and collects it. Nothing may be left. */
export async function expectNothingLeft(history: History, storageId: string | null): Promise<void> {
  const fail = (message: string) => {
    throw new Error(`${message}\n${history.lines.join("\n")}`);
  };
  await actLate();
  const made = await prisma.storage.findMany({ select: { id: true } });
  for (const { id } of made) await deleteFile(prisma, id, true);
  await prisma.$executeRaw`UPDATE "_unfinished_uploads" SET "expiresAt" = now() - interval '1 second'`;
  await prisma.$executeRaw`UPDATE "_unowned_blobs" SET "deleteAfter" = now()`;
  await forgetUnfinishedUploads();
  await deleteUnownedBlobs();
  if (made.length > 1 || (storageId && made[0]?.id !== storageId)) fail(`There are ${made.length} files`);
  for await (const { key } of blobs.list()) if (key !== storeIdKey) fail(`Blob ${key} is left`);
  const left = await history.leftovers();
  if (left > 0) fail(`${left} unfinished uploads are left in the store`);
  // A blob that a signed URL can still write stays listed for a day.
  await prisma.unownedBlob.deleteMany();
  const { receiving, sending, inFiles, waiting } = held;
  if (receiving + sending + inFiles + waiting.length > 0) fail(`Parts hold ${receiving}, ${sending}, ${inFiles} bytes`);
}

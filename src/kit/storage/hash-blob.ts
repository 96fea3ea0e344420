import { createHash } from "node:crypto";
import { z } from "zod";
import { prisma } from "../database/database";
import { limits } from "../process/limits";
import type { BlobDriver } from "./drivers/driver";
import { UploadError } from "./upload-error";

/** How many times in a row a connection may break before any byte is read. */
const maxFailures = 3;

/**
 * Returns the SHA-256 of a blob of `size` bytes. After a broken connection it continues where it stopped.
 *
 * A large blob that is listed among the unowned ones is read in slices, because hosts and proxies end a request that takes
 * long. The state of the hash after a slice is stored in the list, and the next call continues from it.
 * @throws UploadError `UploadLocked` after a slice that was not the last, `StorageUnavailable`
 */
export async function hashBlob(driver: BlobDriver, key: string, size: number): Promise<string> {
  const before = size > limits.hashedAtOnceBytes ? await findHashing(key) : null;
  const hash = before ? await continueHash(before.state) : createHash("sha256");
  const ends = performance.now() + limits.hashSliceMs;
  let position = before?.position ?? 0;
  let failures = 0;
  while (position < size) {
    const begun = position;
    try {
      const body = await driver.get(key, { start: position, end: size - 1 });
      if (!body) throw new Error(`Blob ${key} is gone`);
      for await (const chunk of body) {
        hash.update(chunk);
        position += chunk.byteLength;
        if ("save" in hash && performance.now() > ends) break;
      }
    } catch (error) {
      failures = position > begun ? 1 : failures + 1;
      if (failures === maxFailures) throw UploadError.ofStore(error);
    }
    if ("save" in hash && performance.now() > ends && position < size) {
      await keepHashing(key, position, hash.save());
      throw UploadError.checking(position, size);
    }
  }
  return "save" in hash ? hash.digest() : hash.digest("hex");
}

/** How far a blob has been hashed, and the state of its hash. */
const hashing = z.object({ position: z.int().nonnegative(), state: z.base64() });

async function findHashing(key: string): Promise<{ position: number; state: string | null } | null> {
  const listed = await prisma.unownedBlob.findUnique({ where: { blobKey: key }, select: { hashing: true } });
  if (!listed) return null;
  return listed.hashing === null ? { position: 0, state: null } : hashing.parse(listed.hashing);
}

/** `node:crypto` is faster, but its hashes cannot be kept for another request. */
async function continueHash(state: string | null) {
  const { createSHA256 } = await import("hash-wasm");
  const hash = await createSHA256();
  return state === null ? hash.init() : hash.load(Buffer.from(state, "base64"));
}

/** Stores the state of a hash, unless another request that hashes the same blob got further. */
async function keepHashing(key: string, position: number, saved: Uint8Array): Promise<void> {
  const state = Buffer.from(saved).toString("base64");
  await prisma.$executeRaw`
    UPDATE "_unowned_blobs" SET "hashing" = ${{ position, state }}::jsonb
    WHERE "blobKey" = ${key} AND coalesce(("hashing"->>'position')::float, 0) < ${position}::float`;
}

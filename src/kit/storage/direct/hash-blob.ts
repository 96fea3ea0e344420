import { createHash } from "node:crypto";
import type { BlobDriver } from "../drivers/driver";

/** Times that a connection may break in a row without a byte read. */
const patience = 3;

/** The SHA-256 of a blob of `size` bytes, read once: after a broken connection it goes on where it was. */
export async function hashBlob(driver: BlobDriver, key: string, size: number): Promise<string> {
  const hash = createHash("sha256");
  let position = 0;
  let failures = 0;
  while (position < size) {
    const before = position;
    try {
      const body = await driver.get(key, { start: position, end: size - 1 });
      if (!body) throw new Error(`Blob ${key} is gone`);
      for await (const chunk of body) {
        hash.update(chunk);
        position += chunk.byteLength;
      }
    } catch (error) {
      failures = position > before ? 1 : failures + 1;
      if (failures === patience) throw error;
    }
  }
  return hash.digest("hex");
}

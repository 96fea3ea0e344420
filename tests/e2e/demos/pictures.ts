import { randomFillSync } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";

/** A file as `setInputFiles` takes it. */
export interface TestFile {
  name: string;
  mimeType: string;
  buffer: Buffer;
}

/** A PNG of one colour. Tests recognize it by its width. */
export function picture(name: string, { width = 64, height = 48, colour = [70, 110, 200] } = {}): TestFile {
  const row = Buffer.concat([Buffer.of(0), Buffer.alloc(width * 3, Buffer.from(colour))]);
  return { name, mimeType: "image/png", buffer: png(width, height, Buffer.concat(Array(height).fill(row))) };
}

/** A PNG of noise, which takes time to send: about `height` × 3 KB. */
export function largePicture(name: string, { height = 400 } = {}): TestFile {
  const rowLength = 1 + 1000 * 3;
  const rows = randomFillSync(Buffer.alloc(rowLength * height));
  for (let start = 0; start < rows.length; start += rowLength) rows[start] = 0;
  return { name, mimeType: "image/png", buffer: png(1000, height, rows) };
}

/** Makes a PNG. `rows` are 8-bit RGB pixels, and each row starts with the byte 0, which means "no filter". */
function png(width: number, height: number, rows: Buffer): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const signature = Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND")]);
}

function chunk(type: string, data = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

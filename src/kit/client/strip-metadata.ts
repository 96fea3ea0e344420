// Removes from a JPEG the metadata that says where, when and by whom it was taken. The pixels stay as they are, byte for
// byte.

const startOfImage = 0xd8;
const endOfImage = 0xd9;
const startOfScan = 0xda;

/**
 * Returns a JPEG without EXIF, GPS, XMP, IPTC, comments, and whatever follows the picture, such as a second one. The orientation
 * and the colour profile stay. Any other file is returned as it is.
 *
 * @throws Error when the JPEG is damaged
 */
export async function stripMetadata(file: File): Promise<File> {
  const head = new Uint8Array(await file.slice(0, 3).arrayBuffer());
  if (head[0] !== 0xff || head[1] !== startOfImage || head[2] !== 0xff) return file;
  const bytes = new Uint8Array(await file.arrayBuffer());
  return new File(keptParts(bytes), file.name, { type: file.type, lastModified: file.lastModified });
}

function keptParts(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const view = new DataView(bytes.buffer);
  const kept = [bytes.subarray(0, 2)];
  let orientation = 1;
  let at = 2;
  for (;;) {
    if (at + 4 > bytes.length || bytes[at] !== 0xff) throw damaged();
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    if (marker === endOfImage) break;
    let end = at + 2 + view.getUint16(at + 2);
    if (end > bytes.length) throw damaged();
    const segment = bytes.subarray(at, end);
    if (marker === 0xe1 && startsWith(segment, "Exif\0")) orientation = orientationOf(segment);
    if (marker === startOfScan) {
      // Compressed data ends at a marker that is neither an escaped 0xff nor a restart.
      while (end + 1 < bytes.length && !(bytes[end] === 0xff && isMarker(bytes[end + 1] ?? 0))) end += 1;
      if (end + 1 >= bytes.length) throw damaged();
    }
    if (isKept(marker, segment)) kept.push(bytes.subarray(at, end));
    at = end;
    if (bytes[at] === 0xff && bytes[at + 1] === endOfImage) break;
  }
  kept.push(bytes.subarray(at, at + 2));
  if (orientation !== 1) kept.splice(1, 0, orientationSegment(orientation));
  return kept;
}

const isMarker = (byte: number) => byte !== 0 && !(byte >= 0xd0 && byte <= 0xd7);

/**
 * Whether to keep a segment. Of the segments for applications, only JFIF, the colour profile and Adobe's colour encoding
 * affect the pixels.
 */
function isKept(marker: number, segment: Uint8Array): boolean {
  if (marker === 0xfe) return false;
  if (marker < 0xe0 || marker > 0xef) return true;
  return marker === 0xe0 || marker === 0xee || (marker === 0xe2 && startsWith(segment, "ICC_PROFILE\0"));
}

/** Whether the content of a segment, after its marker and its length, starts with this text. */
const startsWith = (segment: Uint8Array, text: string) =>
  [...text].every((letter, index) => segment[4 + index] === letter.charCodeAt(0));

/** The tag `Orientation` in the first directory of an EXIF segment; 1 when there is none. */
function orientationOf(segment: Uint8Array): number {
  const tiff = new DataView(segment.buffer, segment.byteOffset + 10, Math.max(0, segment.length - 10));
  try {
    const isLittle = tiff.getUint16(0) === 0x4949;
    const directory = tiff.getUint32(4, isLittle);
    for (let entry = 0; entry < tiff.getUint16(directory, isLittle); entry++) {
      const start = directory + 2 + entry * 12;
      if (tiff.getUint16(start, isLittle) === 0x0112) {
        const value = tiff.getUint16(start + 8, isLittle);
        return value >= 1 && value <= 8 ? value : 1;
      }
    }
  } catch {
    // The directory is not whole. Browsers ignore it, too.
  }
  return 1;
}

/** An EXIF segment that has nothing but the orientation. */
function orientationSegment(orientation: number): Uint8Array<ArrayBuffer> {
  const exif = [0x45, 0x78, 0x69, 0x66, 0, 0];
  const header = [0x4d, 0x4d, 0, 0x2a, 0, 0, 0, 8];
  const directory = [0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  const content = [...exif, ...header, ...directory];
  return Uint8Array.from([0xff, 0xe1, 0, content.length + 2, ...content]);
}

const damaged = () =>
  new Error("This picture is damaged, so its place and time cannot be removed. Choose another one.");

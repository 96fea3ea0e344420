import { crc32 } from "node:zlib";
import sharp, { type Sharp } from "sharp";

// Pictures of every kind that people have. Upright, the left half is red and the right half is blue, unless stated otherwise.

export const canvas = (width: number, height: number, colour = "red", channels: 3 | 4 = 3) =>
  sharp({ create: { width, height, channels, background: colour } });

/** Red on the left, blue on the right. */
export const halves = (width = 400, height = 200): Sharp =>
  canvas(width, height).composite([
    { input: { create: { width: width / 2, height, channels: 3, background: "blue" } }, left: width / 2, top: 0 },
  ]);

const bytesOf = async (image: Sharp) => new Uint8Array(await image.toBuffer());

/** A JPEG with pixels as a camera with this orientation stores them. Upright, it shows the same picture. */
export async function oriented(orientation: number): Promise<Uint8Array<ArrayBuffer>> {
  // For each orientation, what the camera did to the upright picture. sharp would mirror before it rotates.
  const stored: Record<number, (image: Sharp) => Sharp> = {
    1: (image) => image,
    2: (image) => image.flop(),
    3: (image) => image.rotate(180),
    4: (image) => image.flip(),
    5: (image) => image.rotate(270),
    6: (image) => image.rotate(270),
    7: (image) => image.rotate(90),
    8: (image) => image.rotate(90),
  };
  const upright = await halves().png().toBuffer();
  const turned = await (stored[orientation]?.(sharp(upright)) ?? sharp(upright)).png().toBuffer();
  const mirrored = orientation === 5 || orientation === 7 ? await sharp(turned).flip().png().toBuffer() : turned;
  return bytesOf(sharp(mirrored).withMetadata({ orientation }).jpeg());
}

/** A picture that says where a phone took it: EXIF with GPS and the name of a camera. */
export const withPlace = () =>
  bytesOf(
    halves()
      .jpeg()
      .withExif({ IFD0: { Make: "SecretCamera" }, IFD3: { GPSLatitudeRef: "N", GPSLatitude: "52/1 30/1 0/1" } }),
  );

/** Frames of the given colours, 60 × 40. */
export async function animation(format: "gif" | "webp", colours = ["red", "lime", "blue"]) {
  const frames = await Promise.all(colours.map((colour) => canvas(60, 40, colour).png().toBuffer()));
  const joined = sharp(frames, { join: { animated: true } });
  return bytesOf(format === "gif" ? joined.gif({ delay: 100 }) : joined.webp({ delay: 100, lossless: true }));
}

/** A PNG with the chunk that announces an animation, of one frame. */
export async function apng(): Promise<Uint8Array<ArrayBuffer>> {
  const png = await bytesOf(halves().png());
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  // The signature and IHDR take 33 bytes.
  const control = chunk("acTL", Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]));
  return new Uint8Array(Buffer.concat([png.subarray(0, 33), control, png.subarray(33)]));
}

/** An AVIF that says that it is a sequence. */
export async function animatedAvif(): Promise<Uint8Array<ArrayBuffer>> {
  const avif = await bytesOf(halves().avif());
  avif.set(Buffer.from("avis"), 8);
  return avif;
}

/** A PNG whose header claims this many pixels, although it has none. */
export async function claiming(width: number, height: number): Promise<Uint8Array<ArrayBuffer>> {
  const png = Buffer.from(await bytesOf(canvas(1, 1).png()));
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return new Uint8Array(png);
}

export const corpus: Record<string, () => Promise<Uint8Array<ArrayBuffer>>> = {
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8].map((n) => [`JPEG with orientation ${n}`, () => oriented(n)])),
  "CMYK JPEG": () => bytesOf(halves().toColourspace("cmyk").jpeg()),
  "progressive JPEG": () => bytesOf(halves().jpeg({ progressive: true })),
  "16-bit PNG": () => bytesOf(halves().toColourspace("rgb16").png()),
  "PNG with a palette": () => bytesOf(halves().png({ palette: true })),
  "interlaced PNG": () => bytesOf(halves().png({ progressive: true })),
  "PNG with alpha": () => bytesOf(halves().ensureAlpha().png()),
  "JPEG with a wide profile": () => bytesOf(halves().withIccProfile("p3").jpeg()),
  "lossless WebP": () => bytesOf(halves().webp({ lossless: true })),
  AVIF: () => bytesOf(halves().avif()),
  "still GIF": () => bytesOf(halves().gif()),
};

/** Width, height and the colours at the left and the right edge. */
export async function look(bytes: ArrayBuffer | Uint8Array, { frame = 0 } = {}) {
  const opened = sharp(bytes, { page: frame });
  const { data, info } = await opened.removeAlpha().toColourspace("srgb").raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) => {
    const start = (y * info.width + x) * info.channels;
    const [red = 0, green = 0, blue = 0] = data.subarray(start, start + 3);
    if (Math.max(red, green, blue) < 60) return "black";
    if (Math.min(red, green, blue) > 200) return "white";
    if (Math.max(red, green, blue) - Math.min(red, green, blue) < 20) return "grey";
    if (green > red && green > blue) return "green";
    return red > blue ? "red" : "blue";
  };
  const middle = Math.floor(info.height / 2);
  const inset = Math.floor(info.width / 20);
  return {
    width: info.width,
    height: info.height,
    left: at(inset, middle),
    right: at(info.width - 1 - inset, middle),
    top: at(Math.floor(info.width / 4), Math.floor(info.height / 20)),
  };
}

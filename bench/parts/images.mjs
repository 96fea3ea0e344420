import { randomUUID } from "node:crypto";
import sharp from "sharp";
import { filePath, mutate, queryPath, signIn, uploadPath } from "../app.mjs";
import { compare } from "../report.mjs";

const rounds = 7;
const width = 640;
const pictures = 30;
/** Pixels of a photograph of 12 megapixels. */
const photo = { width: 4000, height: 3000 };
const formats = /** @type {const} */ (["avif", "webp"]);

/**
 * Images in other sizes: the first request for one, against sharp alone and Next.js's optimizer; later ones, against a file of
 * the same size; and what a chat of pictures transfers.
 *
 * @param {import("../bench.mjs").Bench} bench
 */
export async function images({ load, newApp, newBaseline, rawNode }) {
  sharp.concurrency(1);
  sharp.cache(false);
  const unlimited = { RATE_LIMIT_MESSAGES: "1000000", RATE_LIMIT_IMAGES: "1000000" };
  const app = await newApp({ settings: unlimited });
  const [baseline, raw] = [await newBaseline(), await rawNode()];
  const { headers } = await signIn(app.port);
  const bytes = await takePhoto(photo, 0);

  // Each round has a new id or name, so that nobody has made an image of it. Next.js remembers images of earlier runs.
  const first = (/** @type {(typeof formats)[number]} */ format) => {
    const accept = `image/${format},*/*`;
    return compare({
      title: `First request for a JPEG of 12 megapixels as ${format}, ${width} pixels wide`,
      unit: "ms",
      lessIsBetter: true,
      rounds,
      contenders: [
        {
          name: "the app: signature, row, image, blob, row",
          async measure() {
            const { image } = await sendPicture(app.port, headers, bytes);
            return timeOf(app.port, image, accept);
          },
        },
        { name: "sharp alone", target: 1.2, measure: () => timeOfSharp(bytes, format) },
        {
          name: "Next.js's optimizer (next/image)",
          async measure() {
            const name = `photo-${randomUUID()}`;
            await fetch(`http://127.0.0.1:${raw.port}/?name=${name}`, { method: "POST", body: bytes });
            const source = encodeURIComponent(`/api/file?small=${name}`);
            return timeOf(baseline.port, `/_next/image?url=${source}&w=${width}&q=75`, accept);
          },
        },
      ],
    });
  };
  const results = [];
  for (const format of formats) results.push(await first(format));
  results.push(await cached({ load, app, headers, bytes }), await chat(app.port, headers));
  await Promise.all([app.stop(), baseline.stop()]);
  return results;
}

/**
 * @param {{ load: import("../load.mjs").Load, app: import("../bench.mjs").App, headers: { Cookie: string }, bytes: Uint8Array<ArrayBuffer> }} options
 */
async function cached({ load, app: { port }, headers, bytes }) {
  const count = 2000;
  const { image } = await sendPicture(port, headers, bytes);
  const made = new Uint8Array(await (await fetch(`http://127.0.0.1:${port}${image}`)).arrayBuffer());
  const { file } = await sendPicture(port, headers, made);
  /** @param {string} path */
  const get = (path) => async () => {
    const calls = Array.from({ length: count }, () => ({ path }));
    return count / (await load.repeat({ port, concurrency: 16, calls }));
  };
  return compare({
    title: `GET of an image that was made before, of ${made.byteLength} bytes, 16 at once`,
    unit: "req/s",
    rounds: 9,
    contenders: [
      { name: "the image", measure: get(image) },
      { name: "a file of the same bytes", measure: get(file), target: 0.95 },
    ],
  });
}

/**
 * What the pictures of a chat transfer, on a screen with two pixels for each of the page.
 *
 * @param {number} port
 * @param {{ Cookie: string }} headers
 */
async function chat(port, headers) {
  let originals = 0;
  let images = 0;
  for (let number = 1; number <= pictures; number++) {
    const bytes = await takePhoto({ width: 2000, height: 1500 }, number);
    const { image } = await sendPicture(port, headers, bytes);
    originals += bytes.byteLength;
    const response = await fetch(`http://127.0.0.1:${port}${image}`, { headers: { Accept: "image/avif,image/webp" } });
    images += (await response.arrayBuffer()).byteLength;
  }
  const share = images / originals;
  return {
    title: `${pictures} pictures of 3 megapixels in the chat`,
    unit: "MB",
    rows: [
      { name: `the images, ${width} pixels wide`, figure: images / 1e6 },
      { name: "the files", figure: originals / 1e6, ratio: share, target: "≤ 0.1 ×", met: share <= 0.1 },
    ],
  };
}

/**
 * A JPEG with the noise of a camera.
 *
 * @param {{ width: number, height: number }} size
 * @param {number} number a different picture for each
 */
async function takePhoto({ width, height }, number) {
  const noise = { type: /** @type {const} */ ("gaussian"), mean: 100 + number, sigma: 60 };
  const small = { width: Math.round(width / 40), height: Math.round(height / 40) };
  const shapes = await sharp({ create: { ...small, channels: 3, background: "teal", noise } })
    .png()
    .toBuffer();
  const grain = await sharp({
    create: { width, height, channels: 3, background: "gray", noise: { ...noise, mean: 128, sigma: 6 } },
  })
    .png({ compressionLevel: 0 })
    .toBuffer();
  return new Uint8Array(
    await sharp(shapes)
      .resize(width, height, { kernel: "cubic" })
      .composite([{ input: grain, blend: "soft-light" }])
      .jpeg({ quality: 90 })
      .toBuffer(),
  );
}

/**
 * Sends a picture to the chat, and returns the paths of its file and of its image.
 *
 * @param {number} port
 * @param {{ Cookie: string }} headers
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
async function sendPicture(port, headers, bytes) {
  const upload = await fetch(`http://127.0.0.1:${port}${await uploadPath(port)}`, {
    method: "POST",
    headers: { "Content-Type": "image/jpeg" },
    body: bytes,
  });
  const { storageId } = await upload.json();
  await mutate(port, "messages.sendImage", { storageId, author: "bench" });
  for (;;) {
    const listed = await fetch(`http://127.0.0.1:${port}${queryPath("messages.list", { limit: 1 })}`, { headers });
    const [message] = (await listed.json()).result.data.json.page;
    // The app looks at each new picture, and makes one image at a time.
    if (!message.image.thumbhash) continue;
    const image = new URL(message.image.url);
    image.searchParams.set("width", String(width));
    return { file: await filePath(port, storageId), image: image.pathname + image.search };
  }
}

/**
 * Milliseconds.
 *
 * @param {number} port
 * @param {string} path
 * @param {string} accept
 */
async function timeOf(port, path, accept) {
  const started = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { Accept: accept } });
  const { byteLength } = await response.arrayBuffer();
  const time = performance.now() - started;
  const type = response.headers.get("content-type");
  if (response.status !== 200 || !accept.startsWith(`${type}`) || byteLength > 1e6) {
    throw new Error(`${path} answered ${response.status}, ${byteLength} bytes of ${type}`);
  }
  return time;
}

/**
 * Milliseconds, with the settings of the app.
 *
 * @param {Uint8Array} bytes
 * @param {(typeof formats)[number]} format
 */
async function timeOfSharp(bytes, format) {
  const started = performance.now();
  const resized = sharp(bytes, { failOn: "error" }).autoOrient().resize(width).toColourspace("srgb");
  await (format === "avif" ? resized.avif({ quality: 55, effort: 3 }) : resized.webp()).toBuffer();
  return performance.now() - started;
}

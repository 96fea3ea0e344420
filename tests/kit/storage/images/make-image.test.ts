import sharp from "sharp";
import { describe, expect, test, vi } from "vitest";
import { limits } from "~/kit/process/limits";
import { type ImageRefused, makeImage } from "~/kit/storage/images";
import { animatedAvif, animation, apng, canvas, claiming, corpus, halves, look, withPlace } from "./corpus";

type Form = Parameters<typeof makeImage>[1];
const small: Form = { width: 160, shape: "", format: "webp" };

async function make(bytes: Uint8Array, form: Partial<Form> = {}) {
  const made = await makeImage(Buffer.from(bytes), { ...small, ...form });
  if (made === "original") throw new Error("The image was left as it is");
  return made;
}

const types = { avif: "image/avif", webp: "image/webp", jpeg: "image/jpeg" } as const;

describe.each(Object.entries(corpus))("%s", (_, create) => {
  test.each(["avif", "webp", "jpeg"] as const)("becomes an upright %s with the same colours", async (format) => {
    const { data, contentType } = await make(await create(), { format });
    expect(contentType).toBe(types[format]);
    expect(await look(data)).toEqual({ width: 160, height: 80, left: "red", right: "blue", top: "red" });
  });
});

describe("colours", () => {
  test("a grey image stays grey", async () => {
    const grey = await canvas(40, 20, "#808080").toColourspace("b-w").png().toBuffer();
    expect(await look((await make(grey)).data)).toMatchObject({ left: "grey", right: "grey" });
  });

  test("a wide profile is converted and not only dropped", async () => {
    // This green is within sRGB, but its numbers differ in Display P3.
    const wide = await canvas(40, 20, "#40c040").withIccProfile("p3").png().toBuffer();
    const [red = 0, green = 0] = await sharp((await make(wide)).data)
      .raw()
      .toBuffer();
    expect(Math.abs(red - 0x40)).toBeLessThan(8);
    expect(Math.abs(green - 0xc0)).toBeLessThan(8);
  });

  test("transparency is kept, and is white in a JPEG", async () => {
    const clear = await canvas(40, 20, "rgba(0,0,0,0)", 4).png().toBuffer();
    for (const format of ["webp", "avif", "fallback"] as const) {
      const [, , , alpha] = await sharp((await make(clear, { format })).data)
        .ensureAlpha()
        .raw()
        .toBuffer();
      expect([format, alpha]).toEqual([format, 0]);
    }
    expect((await make(clear, { format: "fallback" })).contentType).toBe("image/png");
    expect(await look((await make(clear, { format: "jpeg" })).data)).toMatchObject({ left: "white" });
  });
});

describe("metadata", () => {
  test.each(["avif", "webp", "jpeg"] as const)("a %s says neither where nor by what it was taken", async (format) => {
    const original = await withPlace();
    expect(Buffer.from(original).includes("SecretCamera")).toBe(true);
    const { data } = await make(original, { format });
    expect(data.includes("SecretCamera")).toBe(false);
    const { exif, xmp, iptc, orientation } = await sharp(data).metadata();
    expect([exif, xmp, iptc, orientation ?? 1]).toEqual([undefined, undefined, undefined, 1]);
  });
});

describe("animations", () => {
  test.each([
    ["gif", "webp", "image/webp"],
    ["gif", "avif", "image/webp"],
    ["gif", "fallback", "image/gif"],
    ["webp", "webp", "image/webp"],
    ["webp", "avif", "image/webp"],
    ["webp", "fallback", "image/gif"],
  ] as const)("an animated %s as %s is %s with every frame", async (from, format, type) => {
    const { data, contentType } = await make(await animation(from), { format, width: 80 });
    expect(contentType).toBe(type);
    expect(await sharp(data, { animated: true }).metadata()).toMatchObject({ pages: 3, width: 60 });
    const colours = await Promise.all([0, 1, 2].map((frame) => look(data, { frame })));
    expect(colours.map(({ left }) => left)).toEqual(["red", "green", "blue"]);
  });

  test("an animation is made smaller frame by frame", async () => {
    const frames = await Promise.all(["red", "blue"].map((colour) => canvas(320, 160, colour).png().toBuffer()));
    const gif = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    const { data } = await make(gif, { width: 160, shape: "1x1" });
    expect(await sharp(data, { animated: true }).metadata()).toMatchObject({ pages: 2, width: 160, pageHeight: 160 });
    expect((await look(data, { frame: 1 })).left).toBe("blue");
  });

  test("a JPEG of an animation is its first frame", async () => {
    const { data } = await make(await animation("gif"), { format: "jpeg" });
    expect(await look(data)).toMatchObject({ width: 60, height: 40, left: "red" });
  });

  test.each([
    ["APNG", apng],
    ["animated AVIF", animatedAvif],
  ])("%s, which cannot be written, is left as it is", async (_, create) => {
    expect(await makeImage(Buffer.from(await create()), small)).toBe("original");
  });
});

describe("size", () => {
  test.each<[string, Partial<Form>, [number, number]]>([
    ["its own shape", {}, [160, 80]],
    ["never larger than the original", { width: 1280 }, [400, 200]],
    ["a square, cropped", { shape: "1x1" }, [160, 160]],
    ["a square, cropped, as large as the original allows", { width: 640, shape: "1x1" }, [200, 200]],
    ["within a square", { shape: "1x1-inside" }, [160, 80]],
    ["within a tall box", { width: 320, shape: "1x4-inside" }, [320, 160]],
    ["within a flat box", { width: 320, shape: "8x1-inside" }, [80, 40]],
    ["a flat strip", { width: 160, shape: "8x1" }, [160, 20]],
    ["a strip that is flatter than a pixel", { width: 80, shape: "1000x1" }, [80, 1]],
  ])("%s", async (_, form, size) => {
    const { data } = await make(await halves().png().toBuffer(), form);
    const { width, height } = await sharp(data).metadata();
    expect([width, height]).toEqual(size);
  });

  test("one pixel stays one pixel", async () => {
    expect(await look((await make(await canvas(1, 1).png().toBuffer())).data)).toMatchObject({ width: 1, height: 1 });
  });

  test.each(["webp", "avif", "jpeg"] as const)("a very tall image fits into a %s", async (format) => {
    const tall = await canvas(10, 30_000).png().toBuffer();
    const { data } = await make(tall, { format });
    const { width, height } = await sharp(data).metadata();
    expect([width, height]).toEqual([5, 16_383]);
  });
});

describe("refuses", () => {
  const refusal = (bytes: Buffer) =>
    makeImage(bytes, small).then(
      () => "made",
      (error: ImageRefused) => error.code,
    );
  const half = async (bytes: Promise<Uint8Array>) => (await bytes).slice(0, (await bytes).length / 2);
  const noise = () =>
    sharp({
      create: {
        width: 300,
        height: 300,
        channels: 3,
        background: "black",
        noise: { type: "gaussian", mean: 128, sigma: 60 },
      },
    });

  test.each<[string, string, () => Promise<Uint8Array> | Uint8Array]>([
    ["NotAnImage", "text", () => Buffer.from("plain text")],
    ["NotAnImage", "nothing", () => Buffer.alloc(0)],
    ["NotAnImage", "SVG", () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>')],
    ["NotAnImage", "PDF", () => Buffer.from("%PDF-1.7\n%âãÏÓ\n")],
    ["NotAnImage", "TIFF", () => canvas(10, 10).tiff().toBuffer()],
    ["NotAnImage", "HEIC", () => Buffer.from("\0\0\0\x18ftypheic\0\0\0\0heicmif1", "latin1")],
    ["ImageUnreadable", "half a JPEG", () => half(noise().jpeg().toBuffer())],
    ["ImageUnreadable", "half a PNG", () => half(noise().png().toBuffer())],
    ["ImageUnreadable", "the first bytes of a WebP", async () => (await noise().webp().toBuffer()).subarray(0, 40)],
    ["ImageUnreadable", "a PNG without pixels", () => claiming(100, 100)],
    ["ImageTooLarge", "a PNG that says it is huge", () => claiming(limits.imagePixels / 1000 + 1, 1000)],
    ["ImageUnreadable", "a PNG of the largest sides", () => claiming(2 ** 31 - 1, 2 ** 31 - 1)],
  ])("%s: %s", async (code, _, create) => {
    expect(await refusal(Buffer.from(await create()))).toBe(code);
  });

  test("ImageTooLarge: an animation whose frames are too many pixels together", async () => {
    const gif = Buffer.from(await animation("gif"));
    const most = vi.spyOn(limits, "imagePixels", "get").mockReturnValue(2.5 * 60 * 40);
    expect(await refusal(gif)).toBe("ImageTooLarge");
    most.mockRestore();
    expect(await refusal(gif)).toBe("made");
  });
});

import { afterEach, describe, expect, test, vi } from "vitest";
import { createFileUrl, type FileUrlOptions, readFileUrl } from "~/kit/storage/tokens";

const id = "0199c1a2-7b3c-7d4e-8f50-123456789abc";
const otherId = "0199c1a2-7b3c-7d4e-8f50-123456789abd";
const origin = "https://app.test";
const now = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const hour = 60 * 60 * 1000;

const create = (options?: FileUrlOptions) => createFileUrl(origin, id, options);
const read = (url: string) => readFileUrl(new URL(url));

afterEach(() => vi.useRealTimers());

describe("createFileUrl", () => {
  test("one file, any time: the same string", () => {
    expect(create()).toBe(create());
    expect(create()).toMatch(/^https:\/\/app\.test\/api\/storage\/[0-9a-f-]{36}\/[\w-]{43}$/);
    expect(create({ downloadAs: "a.txt" })).toBe(create({ downloadAs: "a.txt" }));
  });

  test("the signature of one file says nothing about another's", () => {
    expect(createFileUrl(origin, otherId).split("/").at(-1)).not.toBe(create().split("/").at(-1));
  });

  test("an expiring URL: the same string all through its window, and good for what was asked and a quarter", () => {
    vi.useFakeTimers({ now });
    const urls = new Map<string, number[]>();
    for (let minute = 0; minute < 60; minute++) {
      vi.setSystemTime(now + minute * 60_000);
      const url = create({ expiresIn: hour });
      const left = Number(new URL(url).searchParams.get("expires")) * 1000 - Date.now();
      expect(left).toBeGreaterThanOrEqual(hour);
      expect(left).toBeLessThanOrEqual(1.25 * hour);
      urls.set(url, [...(urls.get(url) ?? []), minute]);
    }
    expect(urls.size).toBe(5);
  });

  test.each([[1], [999], [1000], [4001], [0.5], [1500.5], [365 * 24 * hour]])(
    "expiresIn %d is never cut short",
    (ms) => {
      vi.useFakeTimers({ now });
      const permit = read(create({ expiresIn: ms }));
      expect(permit).toMatchObject({ storageId: id, expires: expect.any(Number) });
      const { expires = 0 } = permit as { expires?: number };
      expect(expires * 1000).toBeGreaterThanOrEqual(now + ms);
      expect(Number.isInteger(expires)).toBe(true);
    },
  );

  test.each([[0], [-1], [Number.NaN], [Number.POSITIVE_INFINITY], [1e16]])(
    "expiresIn %d → BAD_REQUEST",
    (expiresIn) => {
      expect(() => create({ expiresIn })).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
    },
  );

  test("downloadAs longer than a file's name can be → BAD_REQUEST", () => {
    expect(read(create({ downloadAs: "本".repeat(255) }))).toMatchObject({ storageId: id });
    expect(() => create({ downloadAs: "a".repeat(256) })).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
  });
});

describe("readFileUrl", () => {
  test.each<[string, FileUrlOptions]>([
    ["a stable URL", {}],
    ["an expiring URL", { expiresIn: hour }],
    ["a download", { downloadAs: "report.pdf" }],
    ["both", { downloadAs: "report.pdf", expiresIn: hour }],
    ["an empty name", { downloadAs: "" }],
    ["what URLs escape", { downloadAs: "a+b c&d=e?f#g%h/i\\j\"k'l" }],
    ["any script", { downloadAs: "отчёт 日本語 🎉 é" }],
    ["line breaks", { downloadAs: "a\r\nb\0c" }],
    ["what JSON escapes", { downloadAs: '"],["\\u0041' }],
  ])("%s → the permit it was made of", (_, options) => {
    expect(read(create(options))).toMatchObject({ storageId: id, download: options.downloadAs });
  });

  test("a lone surrogate becomes U+FFFD, as in every URL", () => {
    expect(read(create({ downloadAs: "a\ud800b\udc00" }))).toMatchObject({ download: "a\ufffdb\ufffd" });
  });

  test("parameters that mean nothing to us are let be", () => {
    expect(read(`${create()}?utm_source=x&utm_source=y`)).toMatchObject({ storageId: id });
    expect(read(`${create({ expiresIn: hour })}&v=1`)).toMatchObject({ storageId: id });
  });

  const replaced = (url: string, from: string | RegExp, to: string) => {
    expect(url).toMatch(from);
    return url.replace(from, to);
  };

  test.each<[string, (url: string) => string]>([
    ["another id", (url) => replaced(url, id, otherId)],
    [
      "the first letter of the signature",
      (url) => url.replace(/\/(.)([\w-]{42})\?/, (_, a, rest) => `/${a === "x" ? "y" : "x"}${rest}?`),
    ],
    // 43 letters carry 258 bits; the last letter's two spare ones are not to be played with.
    ["the last letter of the signature", (url) => replaced(url, /(\/[\w-]{42}).\?/, "$1_?")],
    ["a later expiry", (url) => replaced(url, /expires=(\d+)/, "expires=9$1")],
    ["an earlier expiry", (url) => replaced(url, /expires=\d/, "expires=0")],
    ["another spelling of the expiry", (url) => replaced(url, /expires=/, "expires=0")],
    ["no expiry", (url) => replaced(url, /expires=\d+&/, "")],
    ["another name", (url) => replaced(url, /report/, "invoice")],
    ["no name", (url) => replaced(url, /&download=[^&]*/, "")],
    ["an empty name", (url) => replaced(url, /download=[^&]*/, "download=")],
    ["a second expiry", (url) => `${url}&expires=99999999999`],
    ["a second name", (url) => `${url}&download=evil.html`],
    ["the same expiry twice", (url) => `${url}&${/expires=\d+/.exec(url)}`],
    ["a name where there was none", () => `${create()}?download=evil.html`],
    ["an expiry where there was none", () => `${create()}?expires=99999999999`],
  ])("%s → forged", (_, tamper) => {
    expect(read(tamper(create({ downloadAs: "report.pdf", expiresIn: hour })))).toBe("forged");
  });

  const signature = "A".repeat(43);
  test.each([
    ["no signature", `/api/storage/${id}`],
    ["a short signature", `/api/storage/${id}/${signature.slice(1)}`],
    ["a long signature", `/api/storage/${id}/${signature}A`],
    ["a trailing slash", `/api/storage/${id}/${signature}/`],
    ["an upper-case id", `/api/storage/${id.toUpperCase()}/${signature}`],
    ["an id without dashes", `/api/storage/${id.replaceAll("-", "")}/${signature}`],
    ["an id in braces", `/api/storage/{${id}}/${signature}`],
    ["something before the id", `/api/storage/x/${id}/${signature}`],
    ["another prefix", `/api/other/${id}/${signature}`],
    ["a double slash", `/api/storage//${id}/${signature}`],
    ["an encoded slash", `/api/storage/${id}%2f${signature}`],
    ["a doubly encoded id", `/api/storage/${id.replace("0", "%2530")}/${signature}`],
    ["an encoded id", `/api/storage/${id.replace("0", "%30")}/${signature}`],
    ["an encoded NUL", `/api/storage/${id}%00/${signature}`],
    ["a broken escape", `/api/storage/%/${signature}`],
    ["letters of other scripts", `/api/storage/${id}/${"А".repeat(43)}`],
    ["dots", `/api/storage/../../${id}/${signature}`],
    ["encoded dots", `/api/storage/%2e%2e/%2e%2e/etc/passwd`],
    ["an expiry that is no number", `/api/storage/${id}/${signature}?expires=soon`],
    ["an empty expiry", `/api/storage/${id}/${signature}?expires=`],
    ["a negative expiry", `/api/storage/${id}/${signature}?expires=-1`],
    ["a fractional expiry", `/api/storage/${id}/${signature}?expires=1.5`],
    ["an expiry beyond all time", `/api/storage/${id}/${signature}?expires=1${"0".repeat(12)}`],
  ])("%s → malformed", (_, path) => {
    expect(read(origin + path)).toBe("malformed");
  });

  test("a signature of the other purpose → forged", async () => {
    const { sign } = await import("~/kit/storage/tokens");
    const signed = sign("upload-url", JSON.stringify([id, null, null]));
    expect(read(`${origin}/api/storage/${id}/${signed}`)).toBe("forged");
  });
});

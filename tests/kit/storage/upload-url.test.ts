import { describe, expect, test } from "vitest";
import { createUploadUrl, readUploadToken, sign, type UploadLimits, type UploadToken } from "~/kit/storage/tokens";
import { allowsContentType } from "~/kit/storage/upload";

const tokenOf = (limits?: UploadLimits) =>
  new URL(createUploadUrl("https://app.test", limits)).searchParams.get("token") ?? "";

describe("createUploadUrl", () => {
  test("each URL makes another file, within an hour", () => {
    const permit = readUploadToken(tokenOf());
    expect(permit).toEqual({ storageId: expect.stringMatching(/^[0-9a-f-]{36}$/), expiresAt: expect.any(Number) });
    expect(readUploadToken(tokenOf())?.storageId).not.toBe(permit?.storageId);
  });

  test.each<[UploadLimits]>([
    [{}],
    [{ maxSize: 0 }],
    [{ maxSize: 5 * 2 ** 30 }],
    [{ contentTypes: ["image/*"] }],
    [{ maxSize: 1, contentTypes: ["image/png", "application/vnd.api+json"] }],
  ])("carries %j", (limits) => {
    expect(readUploadToken(tokenOf(limits))).toMatchObject(limits);
  });

  test.each<[string, UploadLimits]>([
    ["a negative size", { maxSize: -1 }],
    ["a fractional size", { maxSize: 1.5 }],
    ["a size that is no number", { maxSize: Number.NaN }],
    ["an endless size", { maxSize: Number.POSITIVE_INFINITY }],
    ["no type at all", { contentTypes: [] }],
    ["half a type", { contentTypes: ["image"] }],
    ["a type of anything", { contentTypes: ["*/*"] }],
    ["a type with parameters", { contentTypes: ["text/plain; charset=utf-8"] }],
    ["an empty type", { contentTypes: [""] }],
    ["a type too long for a URL", { contentTypes: [`image/${"x".repeat(200)}`] }],
    ["too many types for a URL", { contentTypes: Array.from({ length: 51 }, (_, n) => `image/x${n}`) }],
  ])("%s → BAD_REQUEST", (_, limits) => {
    expect(() => tokenOf(limits)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
  });

  test("the longest URL fits a request line", () => {
    const contentTypes = Array.from({ length: 50 }, (_, n) => `application/${String(n).padEnd(115, "x")}`);
    expect(tokenOf({ contentTypes }).length).toBeLessThan(12_000);
  });
});

describe("readUploadToken", () => {
  const token = tokenOf({ maxSize: 5 });
  const [payload = "", signature = ""] = token.split(".");
  const forged = Buffer.from(JSON.stringify({ ...readUploadToken(token), maxSize: 6 })).toString("base64url");
  const fileUrlSigned = sign("file-url", payload);

  test.each([
    ["nothing", ""],
    ["a dot", "."],
    ["no signature", payload],
    ["an empty signature", `${payload}.`],
    ["an empty payload", `.${signature}`],
    ["another payload", `${forged}.${signature}`],
    ["another signature", `${payload}.${"A".repeat(43)}`],
    ["another signature's last letter", `${payload}.${signature.slice(0, -1)}_`],
    ["a payload spelt otherwise", `${payload}=.${signature}`],
    ["a third part", `${token}.x`],
    ["a trailing dot", `${token}.`],
    ["space", ` ${token}`],
    ["the signature of a file URL", `${payload}.${fileUrlSigned}`],
    ["NUL", `\0${token}`],
    ["emoji", "🎉.🎉"],
  ])("%s → null", (_, text) => {
    expect(readUploadToken(text)).toBeNull();
  });
});

describe("allowsContentType", () => {
  test.each<[string[] | undefined, string | null, boolean]>([
    [undefined, "image/png", true],
    [undefined, null, true],
    [["image/png"], "image/png", true],
    [["image/png"], "IMAGE/PNG", true],
    [["IMAGE/PNG"], "image/png", true],
    [["image/png"], "image/png; charset=x", true],
    [["image/png"], "image/png ;x=y", true],
    [["text/html", "image/png"], "image/png", true],
    [["image/*"], "image/png", true],
    [["image/*"], "image/svg+xml", true],
    [["IMAGE/*"], "Image/Png", true],
    [["image/png"], "image/pngx", false],
    [["image/png"], "ximage/png", false],
    [["image/png"], "image/jpeg", false],
    [["image/png"], "text/html; x=image/png", false],
    [["image/*"], "imagex/png", false],
    [["image/*"], "text/html;image/png", false],
    [["image/*"], "video/mp4", false],
    [["image/*"], null, false],
    [["image/x.png"], "image/x-png", false],
  ])("%j, %j → %s", (contentTypes, contentType, expected) => {
    const permit: UploadToken = { storageId: "id", expiresAt: 0, contentTypes };
    expect(allowsContentType(permit, contentType)).toBe(expected);
  });
});

import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";

const [first, second, third] = ["first ", "second", "third "].map((name) => name.padEnd(32, "."));
const original = process.env.APP_SECRET;

/** The module as a process with these secrets has it. */
async function signedWith(...secrets: (string | undefined)[]) {
  vi.resetModules();
  process.env.APP_SECRET = secrets.join(",");
  return import("~/kit/storage/tokens");
}

beforeEach(() => vi.resetModules());
afterAll(() => {
  process.env.APP_SECRET = original;
  vi.resetModules();
});

describe("APP_SECRET, replaced", () => {
  test.each([
    ["the secret alone", [first], true],
    ["a new one in front of it", [second, first], true],
    ["the last of several", [third, second, first], true],
    ["with spaces around the comma", [`${second} `, ` ${first}`], true],
    ["taken away", [second], false],
    ["others", [third, second], false],
  ])("%s: an old signature counts → %s", async (_, secrets, expected) => {
    const signature = (await signedWith(first)).sign("file-url", "text");
    const { isSignedBy } = await signedWith(...secrets);
    expect(isSignedBy(signature, "file-url", "text")).toBe(expected);
  });

  test("the first signs", async () => {
    const alone = (await signedWith(second)).sign("file-url", "text");
    expect((await signedWith(second, first)).sign("file-url", "text")).toBe(alone);
    expect((await signedWith(first, second)).sign("file-url", "text")).not.toBe(alone);
  });
});

describe("isSignedBy", () => {
  test("refuses another purpose, another text, and every other spelling", async () => {
    const { isSignedBy, sign } = await signedWith(first);
    const signature = sign("file-url", "text");
    expect(signature).toMatch(/^[\w-]{43}$/);
    expect(isSignedBy(signature, "file-url", "text")).toBe(true);
    expect(isSignedBy(signature, "upload-url", "text")).toBe(false);
    expect(isSignedBy(signature, "file-url", "text ")).toBe(false);
    for (const other of ["", "A", `${signature}=`, `${signature}A`, ` ${signature}`, signature.slice(0, -1)]) {
      expect(isSignedBy(other, "file-url", "text")).toBe(false);
    }
    const last = signature.at(-1) ?? "";
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const sameBytes = [...alphabet]
      .filter((letter) => letter !== last)
      .map((letter) => signature.slice(0, -1) + letter);
    expect(sameBytes.some((other) => isSignedBy(other, "file-url", "text"))).toBe(false);
  });
});

import { describe, expect, test } from "vitest";
import { parseContentLength, parseContentType, parseDigests } from "~/kit/storage/headers";

const badHeader = expect.objectContaining({ code: "BadHeader", status: 400 });

describe("parseContentType", () => {
  test.each([
    [null, null],
    ["", null],
    ["   ", null],
    ["image/png", "image/png"],
    ["  image/png  ", "image/png"],
    ["IMAGE/PNG", "image/png"],
    ["image/svg+xml", "image/svg+xml"],
    ["application/vnd.api+json", "application/vnd.api+json"],
    ["x-world/x-3dmf", "x-world/x-3dmf"],
    ["text/plain;charset=utf-8", "text/plain;charset=utf-8"],
    ["text/plain; charset=utf-8", "text/plain; charset=utf-8"],
    ["text/plain ; charset=utf-8 ; format=flowed", "text/plain ; charset=utf-8 ; format=flowed"],
    ['text/plain; charset="utf-8"', 'text/plain; charset="utf-8"'],
    ['text/plain; title="a, b; \\"c\\" = d"', 'text/plain; title="a, b; \\"c\\" = d"'],
    ["text/plain;", "text/plain"],
    ["text/plain;;charset=utf-8", "text/plain;charset=utf-8"],
    ["audio/webm;codecs=opus", "audio/webm;codecs=opus"],
    ["multipart/form-data; boundary=----x", "multipart/form-data; boundary=----x"],
  ])("%j → %j", (value, expected) => {
    expect(parseContentType(new Headers(value === null ? {} : { "Content-Type": value }))).toBe(expected);
  });

  test.each([
    ["image"],
    ["image/"],
    ["/png"],
    ["image/png/x"],
    ["image /png"],
    ["image/ png"],
    ["ima ge/png"],
    ["image/png charset=utf-8"],
    ["*"],
    ["<script>/x"],
    ["text/html\u00a0"],
    ["image/png\u00a0;x=y"],
    ["text/plain; charset=ütf"],
    ['text/plain; title="open'],
    ['text/plain; title="tail"x'],
    ["text/plain; charset"],
    ["text/plain; charset = utf-8"],
    // Browsers split at commas and take the last type: these would be shown as HTML.
    ["image/png, text/html"],
    ["image/png;, text/html"],
    ["image/png; a=b, text/html"],
    ['image/png; a="b", text/html'],
    [`text/plain; x=${"y".repeat(250)}`],
  ])("%s → BadHeader", (value) => {
    expect(() => parseContentType(new Headers({ "Content-Type": value }))).toThrow(badHeader);
  });

  test.each([
    ["spaces", `a/b${" ".repeat(15_000)}x`],
    ["semicolons", `a/b${";".repeat(15_000)}"`],
    ["parameters", `a/b${";a=b".repeat(4000)}"`],
    ["backslashes", `a/b;a="${"\\\\".repeat(7000)}`],
    // Short enough to be checked in full.
    ["short parameters", `a/b${";a=b ".repeat(48)}"`],
  ])("full of %s → BadHeader", (_, value) => {
    expect(() => parseContentType(new Headers({ "Content-Type": value }))).toThrow(badHeader);
  });

  test("two headers → BadHeader", () => {
    const headers = new Headers([
      ["Content-Type", "image/png"],
      ["Content-Type", "text/html"],
    ]);
    expect(() => parseContentType(headers)).toThrow(badHeader);
  });
});

describe("parseContentLength", () => {
  test.each([
    [null, undefined],
    ["0", 0],
    ["10", 10],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ])("%j → %j", (value, expected) => {
    expect(parseContentLength(new Headers(value === null ? {} : { "Content-Length": value }))).toBe(expected);
  });

  test.each([
    [""],
    ["-1"],
    ["+1"],
    ["1.5"],
    ["0x10"],
    ["1e3"],
    ["ten"],
    ["5, 5"],
    ["9007199254740993"],
    ["9".repeat(40)],
  ])("%j → BadHeader", (value) => {
    expect(() => parseContentLength(new Headers({ "Content-Length": value }))).toThrow(badHeader);
  });
});

describe("parseDigests", () => {
  // Of "abc", the known answer of FIPS 180.
  const base64 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
  const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  const emptyBase64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

  test.each<[Record<string, string>, string[]]>([
    [{}, []],
    // RFC 3230.
    [{ Digest: `sha-256=${base64}` }, [abc]],
    [{ Digest: `SHA-256=${base64}` }, [abc]],
    [{ Digest: `Sha-256 = ${base64}` }, [abc]],
    [{ Digest: `md5=HUXZLQLMuI/KZ5KDcJPcOA==, sha-256=${base64}` }, [abc]],
    [{ Digest: `sha-256=${base64},unixsum=30637` }, [abc]],
    [{ Digest: `, sha-256=${base64},` }, [abc]],
    [{ Digest: `sha-256=${base64}, sha-256=${emptyBase64}` }, [abc, empty]],
    [{ Digest: "sha=thvDyvhfIqlvFe+A9MYgxAfm1q5=" }, []],
    [{ Digest: "sha-512=notBase64" }, []],
    [{ Digest: "id-sha-256=x" }, []],
    // RFC 9530.
    [{ "Content-Digest": `sha-256=:${base64}:` }, [abc]],
    [{ "Repr-Digest": `sha-256=:${base64}:` }, [abc]],
    [{ "Content-Digest": `sha-512=:YMAam51Jz/jOATT6:, sha-256=:${base64}:` }, [abc]],
    [{ "Repr-Digest": `sha-256=:${base64}:,  sha-512=:YMAam51Jz/jOATT6:` }, [abc]],
    [{ "Content-Digest": "sha-512=:YMAam51Jz/jOATT6:" }, []],
    // Together.
    [{ Digest: `sha-256=${base64}`, "Content-Digest": `sha-256=:${base64}:` }, [abc, abc]],
    [{ Digest: `sha-256=${base64}`, "Repr-Digest": `sha-256=:${emptyBase64}:` }, [abc, empty]],
    [{ "Content-Digest": `sha-256=:${base64}:`, "Repr-Digest": `sha-256=:${base64}:` }, [abc, abc]],
    [{ "Want-Digest": "sha-256=1", "Content-MD5": "HUXZLQLMuI/KZ5KDcJPcOA==" }, []],
  ])("%j", (headers, expected) => {
    expect(parseDigests(new Headers(headers))).toEqual(expected);
  });

  test.each<[Record<string, string>]>([
    [{ Digest: "" }],
    [{ Digest: "," }],
    [{ Digest: "sha-256" }],
    [{ Digest: "sha-256=" }],
    [{ Digest: base64 }],
    [{ Digest: `sha-256:${base64}` }],
    [{ Digest: `sha-256=:${base64}:` }],
    [{ Digest: `sha-256="${base64}"` }],
    [{ Digest: `sha-256=${abc}` }],
    [{ Digest: `sha-256=${base64.slice(0, -1)}` }],
    [{ Digest: `sha-256=${base64}=` }],
    [{ Digest: `sha-256=${base64}x` }],
    [{ Digest: `sha-256=${base64.replace("+", "-").replace("/", "_")}` }],
    // The last letter has two bits that stand for nothing; they must be zero.
    [{ Digest: `sha-256=${base64.replace("a0=", "a1=")}` }],
    [{ Digest: "sha-256=HUXZLQLMuI/KZ5KDcJPcOA==" }],
    [{ Digest: `sha-256=${base64} trailing` }],
    [{ Digest: `md5=x, sha-256=oops` }],
    [{ Digest: `sha-256=${base64}, sha-256=oops` }],
    [{ "Content-Digest": "" }],
    [{ "Content-Digest": "sha-256" }],
    [{ "Content-Digest": `sha-256=${base64}` }],
    [{ "Content-Digest": `sha-256=:${base64}` }],
    [{ "Content-Digest": `sha-256=:${base64}:x` }],
    [{ "Content-Digest": `sha-256=::` }],
    [{ "Repr-Digest": `sha-256=${base64}` }],
    [{ "Repr-Digest": `sha-256=?1` }],
    [{ Digest: `sha-256=${base64}`, "Content-Digest": "oops" }],
  ])("%j → BadHeader", (headers) => {
    expect(() => parseDigests(new Headers(headers))).toThrow(badHeader);
  });
});

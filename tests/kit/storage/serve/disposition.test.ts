import { describe, expect, test } from "vitest";
import { dispositionOf } from "~/kit/storage/headers";

test("controls of a text's direction are left out, which would show another extension", () => {
  expect(dispositionOf(null, "photo\u202Egnp.exe\u2066")).toContain("photognp.exe");
});

describe("dispositionOf a content type", () => {
  test.each([
    ["image/png", "inline"],
    ["image/jpeg", "inline"],
    ["image/gif", "inline"],
    ["image/webp", "inline"],
    ["image/avif", "inline"],
    ["image/bmp", "inline"],
    ["image/x-icon", "inline"],
    ["image/vnd.microsoft.icon", "inline"],
    ["IMAGE/PNG", "inline"],
    ["image/png; charset=binary", "inline"],
    ["audio/mpeg", "inline"],
    ["audio/ogg; codecs=opus", "inline"],
    ["video/mp4", "inline"],
    ["video/quicktime", "inline"],
    ["application/pdf", "inline"],
    ["text/plain", "inline"],
    ["text/plain;charset=utf-8", "inline"],
    [null, "attachment"],
    ["", "attachment"],
    ["text/html", "attachment"],
    ["TEXT/HTML", "attachment"],
    ["text/html;image/png", "attachment"],
    ["application/xhtml+xml", "attachment"],
    ["image/svg+xml", "attachment"],
    ["IMAGE/SVG+XML; charset=utf-8", "attachment"],
    ["image/svg", "attachment"],
    ["text/xml", "attachment"],
    ["application/xml", "attachment"],
    ["application/rss+xml", "attachment"],
    ["application/mathml+xml", "attachment"],
    ["text/xsl", "attachment"],
    ["text/javascript", "attachment"],
    ["application/javascript", "attachment"],
    ["application/ecmascript", "attachment"],
    ["application/wasm", "attachment"],
    ["application/json", "attachment"],
    ["text/css", "attachment"],
    ["text/csv", "attachment"],
    ["text/markdown", "attachment"],
    ["text/vtt", "attachment"],
    ["text/cache-manifest", "attachment"],
    ["multipart/x-mixed-replace; boundary=x", "attachment"],
    ["multipart/related", "attachment"],
    ["message/rfc822", "attachment"],
    ["application/x-shockwave-flash", "attachment"],
    ["application/zip", "attachment"],
    ["application/octet-stream", "attachment"],
    ["application/vnd.ms-excel", "attachment"],
    ["image/tiff", "attachment"],
    ["image/x-photoshop", "attachment"],
    ["image/pngx", "attachment"],
    ["ximage/png", "attachment"],
    ["video/", "attachment"],
    ["nonsense", "attachment"],
  ])("%s → %s", (contentType, expected) => {
    expect(dispositionOf(contentType)).toBe(expected);
  });

  test("a name makes it a download, whatever the type", () => {
    expect(dispositionOf("image/png", "a.png")).toBe('attachment; filename="a.png"');
    expect(dispositionOf("text/html", "a.html")).toBe('attachment; filename="a.html"');
  });
});

describe("dispositionOf a name (RFC 6266, RFC 8187)", () => {
  test.each([
    ["report.pdf", 'attachment; filename="report.pdf"'],
    ["my report (1).pdf", 'attachment; filename="my report (1).pdf"'],
    ["a;b=c,d.txt", 'attachment; filename="a;b=c,d.txt"'],
    ["'quoted'.txt", "attachment; filename=\"'quoted'.txt\""],
    ['"quoted".txt', 'attachment; filename="\\"quoted\\".txt"'],
    ["100%.txt", 'attachment; filename="100%.txt"'],
    [".gitignore", 'attachment; filename=".gitignore"'],
    // Some browsers would decode it.
    ["%41.txt", "attachment; filename=\"%41.txt\"; filename*=UTF-8''%2541.txt"],
    ["naïve.txt", "attachment; filename=\"na_ve.txt\"; filename*=UTF-8''na%C3%AFve.txt"],
    ["отчёт.txt", "attachment; filename=\"_____.txt\"; filename*=UTF-8''%D0%BE%D1%82%D1%87%D1%91%D1%82.txt"],
    ["日本.txt", "attachment; filename=\"__.txt\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.txt"],
    ["🎉.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%F0%9F%8E%89.txt"],
    ["e\u0301.txt", "attachment; filename=\"e_.txt\"; filename*=UTF-8''e%CC%81.txt"],
    ["€'()*.txt", "attachment; filename=\"_'()*.txt\"; filename*=UTF-8''%E2%82%AC%27%28%29%2A.txt"],
    ["\ufffd.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%EF%BF%BD.txt"],
    // Control characters have no place in a name.
    ["a\r\nSet-Cookie: x=1.txt", 'attachment; filename="a__Set-Cookie: x=1.txt"'],
    ["a\0.txt", 'attachment; filename="a_.txt"'],
    ["a\tb\x07\x1b[2J\x7f\x85.txt", 'attachment; filename="a_b__[2J__.txt"'],
    // Paths name their last part.
    ["a/b.txt", 'attachment; filename="b.txt"'],
    ["../../etc/passwd", 'attachment; filename="passwd"'],
    ["C:\\temp\\b.txt", 'attachment; filename="b.txt"'],
    ["..\\..\\b.txt", 'attachment; filename="b.txt"'],
    ["b/", 'attachment; filename="b"'],
    // Nothing that is left of these names a file.
    ["", "attachment"],
    ["/", "attachment"],
    [".", "attachment"],
    ["..", "attachment"],
    ["a/..", "attachment"],
    ["  ", "attachment"],
  ])("%j → %s", (name, expected) => {
    expect(dispositionOf(null, name)).toBe(expected);
  });

  test("any name: one header of printable ASCII", () => {
    for (let code = 0; code <= 0x10_ffff; code += code < 0x3000 ? 1 : 0x101) {
      // Half a character.
      if (code >= 0xd800 && code <= 0xdfff) continue;
      expect(dispositionOf(null, `a${String.fromCodePoint(code)}b`)).toMatch(
        /^attachment; filename="[ -~]+"(; filename\*=UTF-8''[\w%.!#$&+^`|~-]+)?$/,
      );
    }
  });
});

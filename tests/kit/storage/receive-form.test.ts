import { beforeEach, describe, expect, test, vi } from "vitest";
import { HttpError } from "~/kit/http/error-response";
import { httpAction, httpRouter } from "~/kit/http/http-router";
import { serveHttp } from "~/kit/http/serve-http";
import { commitUpload } from "~/kit/storage/ownership";
import { everything, storage, streamOf } from "./kit";

vi.mock("~/kit/storage/ownership", { spy: true });

const http = httpRouter();
http.route({
  path: "/form",
  method: "POST",
  maxRequestSize: 30 * 1024 * 1024,
  handler: httpAction(async (ctx, request) => {
    const checkFields = (fields: URLSearchParams) => {
      if (fields.get("author") === "nobody") throw new HttpError(422, "Nobody may send.");
    };
    const limits = {
      photo: { maxSize: 1_000_000, contentTypes: ["image/*"], max: 2 },
      letter: { maxSize: 30_000_000 },
    };
    const { fields, files } = await ctx.storage.receive(request, limits, { checkFields });
    return Response.json({ fields: [...fields], files });
  }),
});
const serve = serveHttp(http);

async function send(body: BodyInit, headers: HeadersInit = {}) {
  const init: RequestInit & { duplex: "half" } = { method: "POST", body, headers, duplex: "half" };
  const response = await serve(new Request("http://localhost:3000/http/form", init));
  return { status: response.status, body: await response.json() };
}

function form(...parts: [string, string | Blob, string?][]): FormData {
  const all = new FormData();
  for (const [name, value, fileName] of parts) {
    if (typeof value === "string") all.append(name, value);
    else all.append(name, value, fileName);
  }
  return all;
}

const png = (text = "png") => new Blob([text], { type: "image/png" });

/** A form as a client could write it by hand. */
const typed = { "content-type": "multipart/form-data; boundary=edge" };
const part = (headers: string, body = "") => `--edge\r\n${headers}\r\n\r\n${body}\r\n`;
const file = (name: string, fileName: string, body = "png", type = "image/png") =>
  part(`Content-Disposition: form-data; name="${name}"; filename="${fileName}"\r\nContent-Type: ${type}`, body);
const text = 'Content-Disposition: form-data; name="author"';
const end = "--edge--\r\n";
const latin1 = (body: string) => Buffer.from(body, "latin1");

let before: Awaited<ReturnType<typeof everything>>;
beforeEach(async () => {
  before = await everything();
});

describe("ctx.storage.receive", () => {
  test("returns the fields, and stores the files", async () => {
    const sent = form(
      ["author", "Ann"],
      ["tag", "a"],
      ["tag", "ä"],
      ["photo", png("one"), "naïve 日本.png"],
      ["letter", new Blob(["hello"]), "letter"],
      ["photo", png("two"), "two.png"],
      ["after", "x"],
    );
    const { status, body } = await send(sent);
    expect(status).toBe(200);
    const id = expect.any(String);
    expect(body).toEqual({
      fields: [
        ["author", "Ann"],
        ["tag", "a"],
        ["tag", "ä"],
        ["after", "x"],
      ],
      files: {
        photo: [
          { storageId: id, name: "naïve 日本.png", size: 3, contentType: "image/png" },
          { storageId: id, name: "two.png", size: 3, contentType: "image/png" },
        ],
        letter: [{ storageId: id, name: "letter", size: 5, contentType: "application/octet-stream" }],
      },
    });
    const texts = await Promise.all(
      [...body.files.photo, ...body.files.letter].map(async ({ storageId }) => (await storage.get(storageId))?.text()),
    );
    expect(texts).toEqual(["one", "two", "hello"]);
    expect((await everything()).unowned).toEqual(before.unowned);
  });

  test("takes a form without files, and one whose file fields were left empty", async () => {
    expect(await send(form(["author", "Ann"]))).toMatchObject({
      status: 200,
      body: { files: { photo: [], letter: [] } },
    });
    const empty = file("photo", "", "", "application/octet-stream");
    expect(await send(`${empty}${end}`, typed)).toMatchObject({ status: 200, body: { files: { photo: [] } } });
    expect(await everything()).toEqual(before);
  });

  test("stores an empty file, and a file in pieces whose boundary is split", async () => {
    const text = `${file("photo", "a.png", "")}${file("letter", "b", "--edg\r\n--edgy\r\n-")}${end}`;
    const { status, body } = await send(streamOf(...[...text].map((byte) => byte)), typed);
    expect(status).toBe(200);
    expect(body.files.photo).toMatchObject([{ size: 0 }]);
    expect(await (await storage.get(body.files.letter[0].storageId))?.text()).toBe("--edg\r\n--edgy\r\n-");
  });

  test("a path in a file's name is only its last part", async () => {
    const { body } = await send(
      `${file("photo", "../../etc/passwd")}${file("photo", "C:\\\\temp\\\\b.png")}${end}`,
      typed,
    );
    expect(body.files.photo.map(({ name }: { name: string }) => name)).toEqual(["passwd", "b.png"]);
  });

  test("a file is kept although its name is not UTF-8, and a text may say that it is UTF-8", async () => {
    const said = part(`${text}\r\nContent-Type: text/plain; charset=utf-8`, "Ann");
    const { body } = await send(latin1(`${said}${file("photo", "Jos\xe9.png")}${end}`), typed);
    expect(body.fields).toEqual([["author", "Ann"]]);
    expect(body.files.photo).toMatchObject([{ name: "Jos\ufffd.png" }]);
  });

  test("a form of 20 MiB is stored while it arrives", async () => {
    const large = new Blob([new Uint8Array(20 * 1024 * 1024)]);
    const { body } = await send(form(["letter", large, "large"]));
    expect(body.files.letter).toMatchObject([{ size: 20 * 1024 * 1024 }]);
  });
});

describe("a form is refused, and none of its files is kept,", () => {
  const large = "a".repeat(1_000_001);
  test.each<[string, BodyInit, number, HeadersInit?]>([
    ["when a file is too large", form(["photo", png(), "a"], ["photo", png(large), "b"]), 413],
    [
      "when a file is of another type",
      form(["photo", png(), "a"], ["photo", new Blob(["x"], { type: "text/html" }), "b"]),
      415,
    ],
    ["when a file has no type", form(["photo", png(), "a"], ["photo", new Blob(["x"]), "b"]), 415],
    ["when there are too many files", form(["photo", png(), "a"], ["photo", png(), "b"], ["photo", png(), "c"]), 400],
    ["when a field takes no files", form(["photo", png(), "a"], ["other", png(), "b"]), 400],
    [
      "when a field is named like a property of every object",
      form(["photo", png(), "a"], ["constructor", png(), "b"]),
      400,
    ],
    ["when its fields are refused before the files", form(["author", "nobody"], ["photo", png(), "a"]), 422],
    ["when its fields are refused after the files", form(["photo", png(), "a"], ["author", "nobody"]), 422],
    ["when its fields have too much text", form(["photo", png(), "a"], ["author", "a".repeat(300_000)]), 413],
    [
      "when it has too many fields",
      form(["photo", png(), "a"], ...Array.from({ length: 1_001 }, (): [string, string] => ["a", ""])),
      413,
    ],
    [
      "when it is larger than the route allows",
      form(["photo", png(), "a"], ["letter", new Blob([new Uint8Array(31 * 1024 * 1024)]), "b"]),
      413,
    ],
    ["when it ends in the middle of a file", `${file("photo", "a")}${file("photo", "b").slice(0, -4)}`, 400, typed],
    ["when a text is not UTF-8", latin1(`${file("photo", "a")}${part(text, "Jos\xe9")}${end}`), 400, typed],
    ["when it ends in the middle of a text", `${file("photo", "a")}${part(text, "abc").slice(0, -2)}`, 400, typed],
    ["when it ends in the middle of a header", `${file("photo", "a")}--edge\r\nContent-Dispo`, 400, typed],
    ["when it ends without its last boundary", file("photo", "a"), 400, typed],
    [
      "when it is cut off in a file",
      streamOf(file("photo", "a"), file("photo", "b").slice(0, -4), new Error("gone")),
      400,
      typed,
    ],
    [
      "when it is cut off in a field",
      streamOf(file("photo", "a"), part('Content-Disposition: form-data; name="x"').slice(0, -2), new Error("gone")),
      400,
      typed,
    ],
    ["when it is shorter than announced", `${file("photo", "a")}${end}`, 400, { ...typed, "content-length": "9999" }],
    ["when its type has no boundary", `${file("photo", "a")}${end}`, 400, { "content-type": "multipart/form-data" }],
    ["when it is no form", "author=Ann", 400, { "content-type": "application/x-www-form-urlencoded" }],
    ["when it is JSON", "{}", 400, { "content-type": "application/json" }],
  ])("%s", async (_, body, status, headers = {}) => {
    const refused = await send(body, headers);
    expect(refused).toEqual({
      status,
      body: { code: expect.any(String), message: expect.any(String), requestId: expect.any(String) },
    });
    expect(await everything()).toEqual(before);
  });

  test("when a page of another site sent it with the visitor's session", async () => {
    const session = { cookie: "better-auth.session_token=abc" };
    const cross = { ...session, origin: "https://evil.test", "sec-fetch-site": "cross-site" };
    expect((await send(form(["photo", png(), "a"]), cross)).status).toBe(403);
    expect((await send(form(["photo", png(), "a"]), { ...session, origin: "https://evil.test" })).status).toBe(403);
    expect(await everything()).toEqual(before);
  });

  test("when one of its files cannot be committed", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const { commitUpload: commit } =
      await vi.importActual<typeof import("~/kit/storage/ownership")>("~/kit/storage/ownership");
    vi.mocked(commitUpload).mockImplementationOnce(commit).mockRejectedValueOnce(new Error("The database is gone"));
    expect((await send(form(["photo", png(), "a"], ["photo", png(), "b"]))).status).toBe(500);
    expect(await everything()).toEqual(before);
    log.mockRestore();
  });
});

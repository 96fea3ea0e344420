import { describe, expect, test } from "vitest";
import { app } from "~/functions";
import { serveAuth } from "~/kit/auth/serve-auth";
import { serveRouter } from "~/kit/functions/router";
import { serveHttp } from "~/kit/http/serve-http";
import { canonicalType } from "~/kit/storage/headers";
import { api, post, uploadFile } from "./caller";

const { http, router } = app;

const json = { "content-type": "application/json" };
const nul = "a\0b";
const half = "a\ud800b";

describe("text that PostgreSQL cannot hold", () => {
  test.each([nul, half])("%j is refused by a call, with the field's name", async (body) => {
    await expect(api.messages.sendMessage({ author: "a", body })).rejects.toMatchObject({
      code: "BAD_REQUEST",
      message: expect.stringMatching(/^body: /),
    });
  });

  const outside: [string, (text: string) => Promise<Response>][] = [
    [
      "over HTTP",
      (text) => {
        const body = JSON.stringify({ json: { author: text, body: "b" } });
        return serveRouter(router)(
          new Request("http://app.test/api/trpc/messages.sendMessage", { method: "POST", body, headers: json }),
        );
      },
    ],
    [
      "in a name of an argument",
      (text) => {
        const body = JSON.stringify({ json: { author: "a", body: "b", [text]: 1 } });
        return serveRouter(router)(
          new Request("http://app.test/api/trpc/messages.sendMessage", { method: "POST", body, headers: json }),
        );
      },
    ],
    [
      "in an HTTP action's body",
      (text) => {
        const body = JSON.stringify({ author: "a", body: text });
        return serveHttp(http)(new Request("http://app.test/http/postMessage", { method: "POST", body }));
      },
    ],
    [
      "in signing up",
      (text) => {
        const body = JSON.stringify({ name: text, email: "nul@example.com", password: "correct horse" });
        const headers = { "content-type": "application/json", origin: "http://app.test" };
        return serveAuth(app)(new Request("http://app.test/api/auth/sign-up/email", { method: "POST", body, headers }));
      },
    ],
  ];
  test.each(outside)("is answered 400 %s", async (_, send) => {
    for (const text of [nul, half]) expect((await send(text)).status).toBe(400);
  });

  test("in a path's query is answered 400", async () => {
    const response = await serveHttp(http)(
      new Request("http://app.test/http/getMessagesByAuthor?authorNumber=%00&author=%00"),
    );
    expect(response.status).toBe(400);
  });

  test("is not what whole pairs and other odd characters are", async () => {
    await api.messages.sendMessage({ author: "a", body: "😀 \u0001 \uffff e\u0301" });
  });
});

describe("types of files as browsers and recorders send them", () => {
  test.each([
    ["video/webm;codecs=vp8,opus", 'video/webm;codecs="vp8,opus"'],
    ["video/webm; codecs=vp8, opus", 'video/webm; codecs="vp8, opus"'],
    ["audio/mp4;codecs=mp4a.40.2", "audio/mp4;codecs=mp4a.40.2"],
    ['video/mp4;codecs="avc1.42E01E, mp4a.40.2"', 'video/mp4;codecs="avc1.42E01E, mp4a.40.2"'],
    ["Image/PNG", "image/png"],
    ["IMAGE/JPG", "image/jpeg"],
    ["image/pjpeg", "image/jpeg"],
    ["image/x-png", "image/png"],
    ['audio/mp4; codecs="mp4a.40.2"', 'audio/mp4; codecs="mp4a.40.2"'],
    ["audio/mp4; codecs=mp4a.40.2 ", "audio/mp4; codecs=mp4a.40.2"],
    ["Video/WebM;Codecs=VP8,opus", 'video/webm;Codecs="VP8,opus"'],
    ["text/html ;charset=utf-8", "text/html ;charset=utf-8"],
    ["image/jpg", "image/jpeg"],
    ["text/plain;charset=UTF-8", "text/plain;charset=UTF-8"],
    ["a/b;;", "a/b"],
    ["text/plain;", "text/plain"],
    ["text/plain ; ;charset=utf-8; ; ", "text/plain ;charset=utf-8"],
    ['a/b;;c="x;;y;";', 'a/b;c="x;;y;"'],
    ["AUDIO/X-M4A;", "audio/mp4"],
    ["audio/mp3", "audio/mpeg"],
    ["audio/x-wav", "audio/wav"],
    ["audio/wave", "audio/wav"],
    ["video/x-m4v", "video/mp4"],
    ["application/x-zip-compressed", "application/zip"],
    ["image/png, text/html", null],
    ["image/png;, text/html", null],
    ["video/webm;codecs=vp8,text/html", null],
    ["", null],
    ["png", null],
  ])("%s is stored as %s", (given, stored) => {
    expect(canonicalType(given)).toBe(stored);
  });

  test("a recording is taken, and served with a type that is one", async () => {
    const storageId = await uploadFile("bytes", "video/webm;codecs=vp8,opus");
    expect(await api.files.getMetadata({ storageId })).toMatchObject({ contentType: 'video/webm;codecs="vp8,opus"' });
  });

  test.each([
    ["image/jpeg", "image/jpg"],
    ["image/jpg", "image/jpeg"],
    ["image/jpg", "IMAGE/PJPEG"],
    ["Image/*", "image/x-png"],
    ["audio/mp4", "audio/x-m4a"],
    ["audio/x-wav", "audio/wave;"],
    ["application/zip", "application/x-zip-compressed"],
    ["video/*", "VIDEO/webm;codecs=vp8,opus"],
  ])("an upload URL for %s takes a file under a name that programs use, %s", async (allowed, type) => {
    const url = await api.files.generateUploadUrl({ contentTypes: [allowed] });
    expect((await post(url, "x", { "Content-Type": type })).status).toBe(200);
  });

  test("a picture whose type is in capitals is a picture, in a message and in an HTTP action", async () => {
    const storageId = await uploadFile("bytes", "IMAGE/PNG");
    await api.messages.sendImage({ storageId, author: "a" });
    const request = { method: "POST", body: "bytes", headers: { "content-type": "IMAGE/PNG" } };
    const sent = await serveHttp(http)(new Request("http://app.test/http/sendImage?author=a", request));
    expect(sent.status).toBe(200);
  });
});

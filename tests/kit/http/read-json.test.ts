import { PassThrough } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { app } from "~/functions";
import { limitBody, parseJson, readJson } from "~/kit/http/body";
import { serveHttp } from "~/kit/http/serve-http";
import { limits } from "~/kit/process/limits";
import { everything } from "../storage/kit";

const { http } = app;

const request = (body: string, headers: HeadersInit = {}) =>
  new Request("http://app.test/", { method: "POST", body, headers });

test("readJson returns what the body says", async () => {
  expect(await readJson(request('{"a":[1]}'))).toEqual({ a: [1] });
});

test.each([["{"], [""], ["a".repeat(10_000)]])("readJson refuses %.20s, with a short message", async (body) => {
  const refused = expect.objectContaining({ code: "BAD_REQUEST", message: expect.stringMatching(/^.{10,400}$/) });
  await expect(readJson(request(body))).rejects.toEqual(refused);
});

test("readJson refuses what is not UTF-8, and skips a byte order mark", async () => {
  const bytes = (body: Uint8Array<ArrayBuffer>) => new Request("http://app.test/", { method: "POST", body });
  const invalid = new Uint8Array([...Buffer.from('{"text":"'), 0xff, 0xfe, ...Buffer.from('"}')]);
  const refused = { code: "BAD_REQUEST", message: "The body is not UTF-8. Encode it as UTF-8." };
  await expect(readJson(bytes(invalid))).rejects.toMatchObject(refused);
  expect(await readJson(bytes(new Uint8Array([0xef, 0xbb, 0xbf, ...Buffer.from('"é"')])))).toBe("é");
});

test("an HTTP action never sees a query that is not UTF-8", async () => {
  const get = (query: string) =>
    serveHttp(http)(new Request(`http://app.test/http/getMessagesByAuthor?author=${query}`));
  expect([(await get("%C3%A9+%")).status, (await get("Jos%E9")).status, (await get("%ED%A0%80")).status]).toEqual([
    200, 400, 400,
  ]);
});

test("readJson refuses more than its limit, announced or not", async () => {
  const tooLarge = { code: "PAYLOAD_TOO_LARGE" };
  const announced = { "Content-Length": String(limits.jsonBytes + 1) };
  await expect(readJson(request("{}", announced))).rejects.toMatchObject(tooLarge);
  await expect(readJson(request(`"${"a".repeat(limits.jsonBytes)}"`))).rejects.toMatchObject(tooLarge);
  await expect(readJson(request('"abcdef"'), 5)).rejects.toMatchObject(tooLarge);
});

test("readJson counts values before it parses, and none inside of texts", async () => {
  const tooMany = { code: "BAD_REQUEST", message: expect.stringContaining("3 values") };
  await expect(readJson(request("[[],[],[]]"), 100, 3)).rejects.toMatchObject(tooMany);
  await expect(readJson(request("[1,2,3,4]"), 100, 3)).rejects.toMatchObject(tooMany);
  expect(await readJson(request('{"a":"[,{\\"[,,,"}'), 100, 3)).toEqual({ a: '[,{"[,,,' });
});

test("JSON that is nested too deep is refused before code overflows the stack with it", async () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  const tooDeep = { code: "BAD_REQUEST", message: "The body's JSON is nested more than 256 deep." };
  await expect(readJson(request(nested(257)))).rejects.toMatchObject(tooDeep);
  expect(() => parseJson(nested(5_000))).toThrow(tooDeep.message);
  expect(() => parseJson("{")).toThrow("Cannot parse the body as JSON");
  expect(parseJson(nested(256))).toHaveLength(1);
  // Brackets in a text, and those that have ended, do not count.
  expect(await readJson(request(`["${"[".repeat(300)}"${",[]".repeat(300)}]`))).toHaveLength(301);
});

test("a body that breaks off is its sender's fault, and not a failure of the action that stores it", async () => {
  const broken = new PassThrough();
  broken.write("abc");
  const init = { method: "POST", body: broken, duplex: "half" } as unknown as RequestInit;
  const { body } = limitBody(new Request("http://app.test/", init), 100);
  broken.destroy(new Error("aborted"));
  const refused = { code: "BAD_REQUEST", message: expect.stringContaining("broke off") };
  await expect(body?.getReader().read()).rejects.toMatchObject(refused);
});

test("a body that is refused while it arrives fails nowhere else", async () => {
  // `Request` makes a stream of a Readable, as in Next.js. When such a stream is cancelled during a read, it throws an error that no promise carries.
  const uncaught = vi.fn();
  process.on("uncaughtException", uncaught);
  const arriving = new PassThrough();
  arriving.write("abc");
  const init = { method: "POST", body: arriving, duplex: "half" } as unknown as RequestInit;
  const reader = limitBody(new Request("http://app.test/", init), 100).body?.getReader();
  await reader?.read();
  const read = reader?.read();
  await setTimeout(0);
  await reader?.cancel();
  arriving.end();
  await Promise.all([read, setTimeout(10)]);
  process.off("uncaughtException", uncaught);
  expect(uncaught).not.toHaveBeenCalled();
});

test("a body shorter than announced is no body: something in between cut it off", async () => {
  const cut = { code: "BAD_REQUEST", message: expect.stringContaining("Only 7 of 11 bytes") };
  await expect(readJson(request('{"a":1}', { "Content-Length": "11" }))).rejects.toMatchObject(cut);
  await expect(limitBody(request('{"a":1}', { "Content-Length": "11" }), 100).blob()).rejects.toMatchObject(cut);
  expect(await readJson(request('{"a":1}', { "Content-Length": "7" }))).toEqual({ a: 1 });
});

test("an HTTP action stores nothing of a body that was cut off", async () => {
  const body = new Uint8Array(1000);
  const headers = { "Content-Length": "1001", "Content-Type": "image/png" };
  const before = await everything();
  const answer = await serveHttp(http)(
    new Request("http://app.test/http/sendImage?author=a", { method: "POST", body, headers }),
  );
  expect([answer.status, (await answer.json()).message]).toEqual([400, expect.stringContaining("1000 of 1001")]);
  expect(await everything()).toEqual(before);
});

import { expect, test } from "vitest";
import { readJson } from "~/server/http/read-json";
import { limits } from "~/server/limits";

const request = (body: string, headers: HeadersInit = {}) =>
  new Request("http://app.test/", { method: "POST", body, headers });

test("readJson returns what the body says", async () => {
  expect(await readJson(request('{"a":[1]}'))).toEqual({ a: [1] });
});

test.each([["{"], [""], ["a".repeat(10_000)]])("readJson refuses %.20s, with a short message", async (body) => {
  const refused = expect.objectContaining({ code: "BAD_REQUEST", message: expect.stringMatching(/^.{10,400}$/) });
  await expect(readJson(request(body))).rejects.toEqual(refused);
});

test("readJson refuses more than its limit, announced or not", async () => {
  const tooLarge = { code: "PAYLOAD_TOO_LARGE" };
  const announced = { "Content-Length": String(limits.jsonBytes + 1) };
  await expect(readJson(request("{}", announced))).rejects.toMatchObject(tooLarge);
  await expect(readJson(request(`"${"a".repeat(limits.jsonBytes)}"`))).rejects.toMatchObject(tooLarge);
  await expect(readJson(request('"abcdef"'), 5)).rejects.toMatchObject(tooLarge);
});

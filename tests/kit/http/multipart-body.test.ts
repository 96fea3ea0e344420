import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, expect, test } from "vitest";
import { multipartBody } from "~/kit/http/multipart-body";
import { storage } from "../storage/kit";

/** Answers with what it received: the announced length, and the form. */
const service = createServer(async (request, response) => {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const type = request.headers["content-type"] ?? "";
    const form = await new Response(body, { headers: { "content-type": type } }).formData();
    const fields = await Promise.all(
      [...form].map(async ([name, value]) =>
        typeof value === "string" ? [name, value] : [name, value.name, value.type, await value.text()],
      ),
    );
    const length = request.headers["content-length"];
    response.end(JSON.stringify({ isWhole: length === String(body.length), fields }));
  } catch {
    response.destroy();
  }
});
await new Promise<void>((listening) => service.listen(0, "127.0.0.1", listening));
afterAll(() => service.close());
const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;

test("fetch sends texts, files in memory and stored files, with the length of it all", async () => {
  const id = await storage.store(new Blob(["stored"], { type: "text/csv" }));
  const stored = (await storage.get(id)) ?? new Blob();
  const form = multipartBody([
    ["text", "ä\nb"],
    ['na"me\r\n', "text"],
    ["file", stored, 'a"b\r\nc.csv'],
    ["file", new File(["memory"], "m.txt", { type: "text/plain" })],
    ["file", stored.slice(1, 3)],
    ["empty", new Blob([])],
  ]);
  const response = await fetch(url, { method: "POST", ...form });
  expect(await response.json()).toEqual({
    isWhole: true,
    fields: [
      ["text", "ä\r\nb"],
      ['na"me\r\n', "text"],
      ["file", 'a"b\r\nc.csv', "text/csv", "stored"],
      ["file", "m.txt", "text/plain", "memory"],
      ["file", "blob", "application/octet-stream", "to"],
      ["empty", "blob", "application/octet-stream", ""],
    ],
  });
});

test("fetch rejects when the file is gone before its bytes were sent", async () => {
  const id = await storage.store(new Blob(["stored"]));
  const stored = (await storage.get(id)) ?? new Blob();
  await storage.delete(id, { permanently: true });
  const form = multipartBody([["file", stored]]);
  await expect.poll(() => stored.text().catch((error: Error) => error.message)).toMatch(/deleted/);
  await expect(fetch(url, { method: "POST", ...form })).rejects.toThrow();
});

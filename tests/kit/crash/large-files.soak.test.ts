import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { storage, streamOf } from "../storage/kit";
import { report, scale } from "./scale";
import { type BundledServer, bundleServer, type ServerProcess } from "./server-process";

// Functions take in and send a large file in every possible way, and the memory of the server does not grow with the file.

const MiB = 2 ** 20;
const size = scale.largeFileSize;
const zeros = new Uint8Array(MiB);

/** A file, made while it is read, with what comes before and after it. */
const large = (before = "", after = "") =>
  streamOf(before, ...Array.from({ length: size / MiB }, () => async () => zeros), after);

/** Another service, which sends large files and takes them. */
const service = createServer(async (request, response) => {
  if (request.method === "GET") {
    response.writeHead(200, { "Content-Length": size });
    for await (const chunk of large()) if (!response.write(chunk)) await once(response, "drain");
    return void response.end();
  }
  let received = 0;
  for await (const chunk of request) received += chunk.length;
  response.end(`${received} of ${request.headers["content-length"]}`);
});

let server: BundledServer;
let serviceUrl: string;
beforeAll(async () => {
  server = await bundleServer();
  await once(service.listen(0, "127.0.0.1"), "listening");
  serviceUrl = `http://service.test:${(service.address() as AddressInfo).port}/`;
}, 60_000);
afterAll(async () => {
  service.close();
  await server.remove();
});

const ways: Record<string, (origin: string, id: string) => Promise<unknown>> = {
  serve: async (origin, id) => expect(await lengthOf(`${origin}/http/file/${id}`)).toBe(size),
  zip: async (origin, id) => expect(await lengthOf(`${origin}/http/zip/${id}`)).toBeGreaterThan(size),
  multipartBody: async (origin, id) => {
    const url = serviceUrl.replace("service.test", "127.0.0.1");
    const sent = await (await fetch(`${origin}/http/send/${encodeURIComponent(url)}/${id}`)).text();
    const [, received, announced] = /^(\d+) of (\d+)$/.exec(sent) ?? [];
    expect([received, Number(received) > size]).toEqual([announced, true]);
  },
  storeFrom: async (origin) => {
    const id = await (
      await fetch(`${origin}/http/from?url=${encodeURIComponent(serviceUrl)}`, { method: "POST" })
    ).json();
    expect((await storage.getMetadata(id))?.size).toBe(size);
    await storage.delete(id, { permanently: true });
  },
  receive: async (origin) => {
    const head = '--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n';
    const body = large(head, "\r\n--edge--\r\n");
    const headers = { "Content-Type": "multipart/form-data; boundary=edge" };
    const init: RequestInit & { duplex: "half" } = { method: "POST", headers, body, duplex: "half" };
    const [file] = await (await fetch(`${origin}/http/form`, init)).json();
    expect(file.size).toBe(size);
    await storage.delete(file.storageId, { permanently: true });
  },
};

test.runIf(process.platform === "linux")(
  "a large file by each way: the server grows by less than 64 MiB",
  async () => {
    const id = await storage.store(large());
    const growth: Record<string, number> = {};
    for (const [name, go] of Object.entries(ways)) {
      const { child, origin } = await server.launch({});
      // Memory that the process needs once is not counted.
      const small = await storage.store(new Blob([zeros]));
      for (let warm = 0; warm < 10; warm++) await fetch(`${origin}/http/file/${small}`).then((each) => each.bytes());
      const before = await memoryOf(child, "VmRSS");
      await writeFile(`/proc/${child.pid}/clear_refs`, "5"); // starts VmHWM anew
      await go(origin, id);
      growth[name] = Math.round((await memoryOf(child, "VmHWM")) - before);
      report(`${name} of ${size / MiB} MiB: grew by ${growth[name]} MiB`);
      child.kill("SIGKILL");
    }
    await storage.delete(id, { permanently: true });
    for (const grown of Object.values(growth)) expect(grown).toBeLessThan(64);
  },
  scale.limit,
);

async function lengthOf(url: string): Promise<number> {
  let length = 0;
  for await (const chunk of (await fetch(url)).body ?? []) length += chunk.length;
  return length;
}

async function memoryOf({ pid }: ServerProcess["child"], field: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
}

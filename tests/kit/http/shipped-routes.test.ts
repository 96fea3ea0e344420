import { describe, expect, test, vi } from "vitest";
import { app } from "~/functions";
import { prisma } from "~/kit/database/database";
import { serveHttp } from "~/kit/http/serve-http";
import { api, uploadFile } from "../caller";

const { http } = app;

const serve = serveHttp(http);
const ask = (path: string, init?: RequestInit) => serve(new Request(`http://localhost${path}`, init));
const png = { "content-type": "image/png" };

describe("POST /http/sendImage", () => {
  test("image and author, 200, the message shows it", async () => {
    const response = await ask("/http/sendImage?author=Jack+Smith", { method: "POST", body: "abc", headers: png });
    expect(response.status).toBe(200);
    const { page } = await api.messages.list();
    expect(page.at(-1)).toMatchObject({ author: "Jack Smith", format: "image", url: expect.any(String) });
  });

  test.each([
    ["without an author", "/http/sendImage", { body: "a", headers: png }, 400],
    ["with an empty author", "/http/sendImage?author=", { body: "a", headers: png }, 400],
    ["that is no image", "/http/sendImage?author=a", { body: "a", headers: { "content-type": "text/html" } }, 400],
    ["without a body", "/http/sendImage?author=a", { headers: png }, 400],
    [
      "with a wrong digest",
      "/http/sendImage?author=a",
      { body: "a", headers: { ...png, digest: `sha-256=${"A".repeat(43)}=` } },
      400,
    ],
    [
      "with a malformed digest",
      "/http/sendImage?author=a",
      { body: "a", headers: { ...png, digest: "sha-256=x" } },
      400,
    ],
  ])("%s, refused and nothing stored", async (_, path, init, status) => {
    const before = await prisma.storage.count();
    expect((await ask(path, { method: "POST", ...init })).status).toBe(status);
    expect([await prisma.storage.count(), await prisma.unownedBlob.count()]).toEqual([before, 0]);
  });
});

describe("GET /http/getImage", () => {
  test("of a shown image, its bytes and type, sandboxed", async () => {
    const storageId = await uploadFile("<svg/>", "image/svg+xml");
    await api.messages.sendImage({ storageId, author: "a" });
    const response = await ask(`/http/getImage?storageId=${storageId}`);
    expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([
      200,
      "image/svg+xml",
      "<svg/>",
    ]);
    expect(response.headers.get("content-security-policy")).toContain("sandbox");
  });

  test("of any other id, 404", async () => {
    const storageId = await uploadFile("secret");
    for (const id of [storageId, "nonsense", "", "01990000-0000-7000-8000-000000000000"]) {
      const response = await ask(`/http/getImage?storageId=${id}`);
      expect([response.status, await response.text()]).toEqual([404, "Image not found"]);
    }
  });
});

describe("the message routes", () => {
  const post = (body: string) => ask("/http/postMessage", { method: "POST", body });

  test("POST postMessage, 200; both lists have it, newest last", async () => {
    for (const body of ["one", "two"]) {
      expect((await post(JSON.stringify({ author: "User 123", body }))).status).toBe(200);
    }
    const bodies = ["Sent via HTTP action: one", "Sent via HTTP action: two"].map((body) =>
      expect.objectContaining({ body }),
    );
    expect(await (await ask("/http/getMessagesByAuthor?author=User+123")).json()).toEqual(bodies);
    expect(await (await ask("/http/getAuthorMessages/User+123")).json()).toEqual(bodies);
    expect(await (await ask("/http/getAuthorMessages/nobody")).json()).toEqual([]);
  });

  test.each([["{"], ['{"author":"a"}'], ['{"author":1,"body":"b"}'], ["null"]])(
    "POST postMessage %s, 400",
    async (body) => {
      const response = await post(body);
      expect([response.status, await response.json()]).toEqual([400, expect.objectContaining({ code: "BAD_REQUEST" })]);
    },
  );

  test("malformed path, 400", async () => {
    expect((await ask("/http/getAuthorMessages/%zz")).status).toBe(400);
  });
});

describe("OPTIONS /http/sendImage", () => {
  test("preflight of an origin in CLIENT_ORIGIN, allowed", async () => {
    vi.resetModules();
    vi.stubEnv("CLIENT_ORIGIN", "https://one.test, https://two.test");
    const { http } = (await import("~/functions")).app;
    const { serveHttp } = await import("~/kit/http/serve-http");
    const headers = {
      origin: "https://two.test",
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type",
    };
    const response = await serveHttp(http)(
      new Request("http://localhost/http/sendImage", { method: "OPTIONS", headers }),
    );
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "access-control-allow-origin": "https://two.test",
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": "Content-Type, Digest",
      "access-control-max-age": "86400",
    });
    vi.unstubAllEnvs();
  });

  test("without its headers, plain 200", async () => {
    expect((await ask("/http/sendImage", { method: "OPTIONS" })).status).toBe(200);
  });
});

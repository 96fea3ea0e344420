import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { app } from "~/functions";
import { kit, query } from "~/kit";
import { authRoute, openApiRoute, plainJsonRoute } from "~/kit/next";
import { cronJobs, httpRouter } from "~/kit/server";
import { testApp } from "~/kit/testing";
import { allFunctions, isPublic, upload } from "../../kit/inside";

interface Operation {
  requestBody?: { required: boolean; content: Record<string, { schema: object }> };
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}
interface Description {
  servers: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
}

const describeApp = async (http = app.http): Promise<Description> =>
  (await openApiRoute({ http })(new Request("http://app.test/api/openapi.json"))).json();

/** The paths of the functions that clients can call. */
const functionPaths = () =>
  [...allFunctions()].filter(([, fn]) => isPublic(fn)).map(([name]) => `/api/run/${name.replace(".", "/")}`);

let folder = "";
beforeAll(async () => {
  await mkdir(".data", { recursive: true });
  folder = await mkdtemp(join(process.cwd(), ".data", "openapi-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function problemsOf(description: Description) {
  const validator = new Validator();
  const { valid, errors } = await validator.validate({ ...structuredClone(description) });
  expect(validator.version).toBe("3.1");
  // Throws where a reference leads to nothing.
  validator.resolveRefs();
  return valid ? [] : errors;
}

test("the description of the app is valid, and has every public function and HTTP action and nothing internal", async () => {
  const description = await describeApp();
  expect(await problemsOf(description)).toEqual([]);
  expect(description.servers).toEqual([{ url: "http://app.test" }]);
  const paths = Object.keys(description.paths);
  expect(paths.filter((path) => path.startsWith("/api/run/"))).toEqual(functionPaths());
  for (const { method, path, pathPrefix } of app.http.getRoutes()) {
    const described = description.paths[`/http${path ?? `${pathPrefix}{rest}`}`];
    expect(Object.keys(described ?? {})).toContain(method.toLowerCase());
  }
  expect(JSON.stringify(description)).not.toMatch(/dashboard|insertImage|_kit/);
});

test("arguments and results are those of the zod types, also recursive and shared ones, and dates", async () => {
  interface Branch {
    name: string;
    children: Branch[];
  }
  const branch: z.ZodType<Branch> = z.object({ name: z.string(), children: z.lazy(() => z.array(branch)) });
  const label = z.object({ text: z.string() }).meta({ id: "Label" });
  const odd = {
    grow: query({
      args: { branch, label, at: z.date().optional(), size: z.int().min(1).default(3) },
      returns: z.object({ branch, label, at: z.date() }),
      handler: (_, { branch, label }) => ({ branch, label, at: new Date(0) }),
    }),
    again: query({ args: { label: label.optional() }, returns: label, handler: () => ({ text: "a" }) }),
  };
  kit.app({ functions: { odd }, http: httpRouter(), crons: cronJobs() });
  const description = await describeApp(httpRouter());
  expect(await problemsOf(description)).toEqual([]);
  const { post } = description.paths["/api/run/odd/grow"] ?? {};
  expect(post?.requestBody).toMatchObject({
    required: true,
    content: {
      "application/json": { schema: { required: ["branch", "label"], properties: { size: { default: 3 } } } },
    },
  });
  expect(post?.responses[200]?.content?.["application/json"]?.schema).toMatchObject({
    properties: { at: { type: "string", format: "date-time" }, label: { $ref: "#/components/schemas/Result.Label" } },
  });
  expect(description.paths["/api/run/odd/again"]?.post?.requestBody?.required).toBe(false);
});

/**
 * The calls that a client makes to each public function of the demos. Each client uploads with one, and saves with another.
 */
const program = `
import createClient from "openapi-fetch";
import type { paths } from "./api";

export async function callEverything(fetch: (request: Request) => Promise<Response>) {
  const { POST } = createClient<paths>({ baseUrl: "http://app.test", fetch });
  async function ok<T>(call: Promise<{ data?: T; error?: { code: string; message: string } }>): Promise<T> {
    const { data, error } = await call;
    if (error || data === undefined) throw new Error(error?.message);
    return data;
  }
  async function refused(call: Promise<{ error?: { code: string; message: string; requestId: string } }>) {
    const { error } = await call;
    return error?.code;
  }
  async function upload(url: string) {
    const query = { token: new URL(url).searchParams.get("token") ?? "" };
    const bytes = Uint8Array.from(atob("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="), (char) => char.charCodeAt(0));
    const { storageId } = await ok(
      POST("/api/storage/upload", {
        params: { query },
        headers: { "Content-Type": "image/png" },
        body: bytes,
        bodySerializer: (body) => body as Uint8Array<ArrayBuffer>,
      }),
    );
    return storageId;
  }
  const author = "Ann";

  const messageId = await ok(POST("/api/run/messages/sendMessage", { body: { author, body: "Hello" } }));
  const sent = await upload(await ok(POST("/api/run/messages/generateUploadUrl", {})));
  await ok(POST("/api/run/messages/sendImage", { body: { author, storageId: sent } }));
  const messages = await ok(POST("/api/run/messages/list", { body: { limit: 2 } }));
  await ok(POST("/api/run/messages/deleteMessage", { body: { messageId } }));

  const storageId = await upload(await ok(POST("/api/run/files/generateUploadUrl", { body: { contentTypes: ["image/*"] } })));
  const file = (await ok(POST("/api/run/files/saveFile", { body: { storageId, name: "a.png" } }))) as { _id: string };
  await ok(POST("/api/run/files/rename", { body: { storageId, name: "b.png" } }));
  const count = await ok(POST("/api/run/files/count", { body: { search: "b" } }));
  const files = await ok(POST("/api/run/files/list", { body: { sort: "name" } }));
  await ok(POST("/api/run/files/get", { body: { fileId: file._id } }));
  await ok(POST("/api/run/files/getUrl", { body: { storageId, expiresIn: 60_000 } }));
  await ok(POST("/api/run/files/getMetadata", { body: { storageId } }));
  const token = String(await ok(POST("/api/run/shares/create", { body: { fileId: file._id, hours: 1 } })));
  await ok(POST("/api/run/shares/get", { body: { token } }));
  const [link] = (await ok(POST("/api/run/shares/list", { body: { fileId: file._id } }))) as { _id: string }[];
  await ok(POST("/api/run/shares/revoke", { body: { linkId: link?._id ?? "" } }));
  const downloaded = await refused(POST("/api/run/files/downloadAndStore", { body: { url: "http://127.0.0.1/a.png" } }));
  const other = await upload(await ok(POST("/api/run/files/generateUploadUrl")));
  await ok(POST("/api/run/files/replace", { body: { fileId: file._id, storageId: other } }));
  await ok(POST("/api/run/files/delete", { body: { storageId: other } }));

  const picture = await upload(await ok(POST("/api/run/images/generateUploadUrl")));
  const image = (await ok(POST("/api/run/images/saveImage", { body: { storageId: picture, title: "Dot" } }))) as { _id: string };
  const imageId = image._id;
  await ok(POST("/api/run/images/generateThumbnail", { body: { imageId } }));
  const images = await ok(POST("/api/run/images/list"));
  await ok(POST("/api/run/images/deleteImage", { body: { imageId } }));
  const fetched = await refused(POST("/api/run/images/downloadAndStore", { body: { url: "http://127.0.0.1/a.png" } }));
  // @ts-expect-error The type of an argument is known.
  const wrong = await refused(POST("/api/run/messages/sendMessage", { body: { author: 1, body: "a" } }));
  return { messages, count, files, images, fetched, downloaded, wrong };
}
`;

test("a client that openapi-typescript makes of it calls every public function of the demos", async () => {
  const description = JSON.stringify(await describeApp());
  const types = promisify(execFile)(process.execPath, ["tests/demos/openapi/types.mjs"], { maxBuffer: 2 ** 24 });
  types.child.stdin?.end(description);
  await writeFile(join(folder, "api.ts"), (await types).stdout);
  await writeFile(join(folder, "client.ts"), program);
  const tsconfig = { extends: "../../tsconfig.json", include: ["client.ts"], exclude: [] };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
  const tsc = ["node_modules/typescript/bin/tsc", "--noEmit", "-p", folder];
  const checked = await promisify(execFile)(process.execPath, tsc).catch((error: { stdout: string }) => error);
  expect(checked.stdout).toBe("");

  const signedIn = await authRoute(app)(new Request("http://app.test/api/auth/sign-in/anonymous", { method: "POST" }));
  const cookie = signedIn.headers.getSetCookie().map((set) => set.split(";")[0]);
  const called = new Set<string>();
  const { callEverything } = await import(join(folder, "client.ts"));
  const answers = await callEverything((request: Request) => {
    const { pathname } = new URL(request.url);
    called.add(pathname);
    if (pathname === "/api/storage/upload") return upload(request);
    const headers = new Headers([...request.headers, ["cookie", cookie.join("; ")]]);
    return plainJsonRoute(app)(new Request(request, { headers }));
  });
  expect(answers).toMatchObject({
    messages: {
      page: [
        { author: "Ann", body: "Hello" },
        { author: "Ann", format: "image" },
      ],
    },
    count: 1,
    files: { page: [{ name: "b.png" }] },
    images: { page: [{ title: "Dot" }] },
    fetched: "BAD_REQUEST",
    downloaded: "BAD_REQUEST",
    wrong: "BAD_REQUEST",
  });
  const own = functionPaths().filter((path) => !path.startsWith("/api/run/odd/"));
  expect(own.filter((path) => !called.has(path))).toEqual([]);
});

test("an HTTP action's errors are those that the description names", async () => {
  const response = await testApp(app).fetch("/sendImage", { method: "POST", body: "a" });
  expect(await response.json()).toEqual({
    code: "BAD_REQUEST",
    message: expect.any(String),
    requestId: expect.any(String),
  });
});

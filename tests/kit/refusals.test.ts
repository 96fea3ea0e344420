import { randomBytes } from "node:crypto";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import { pool, prisma } from "~/kit/database/database";
import { internalMutation, mutation, query } from "~/kit/functions/builders";
import { createRouter, serveRouter } from "~/kit/functions/router";
import { httpAction, httpRouter } from "~/kit/http/http-router";
import { serveHttp } from "~/kit/http/serve-http";
import { record } from "~/kit/log/function-log";

vi.mock("~/kit/log/function-log", { spy: true });

const gone = "019a0000-0000-7000-8000-000000000000";
const message = { author: "Ann", body: "secret text", format: "text" as const };
const writes = (data: object) =>
  mutation({ handler: (ctx) => ctx.db.message.create({ data: { ...message, ...data } }) });

const module = {
  sameId: mutation({
    handler: async (ctx) => {
      const { id } = await ctx.db.message.create({ data: message });
      await ctx.db.message.create({ data: { ...message, id } });
    },
  }),
  sameLater: mutation({
    handler: (ctx) => ctx.db.order.createMany({ data: [1, 2].map(() => ({ item: "one", state: "paying" })) }),
  }),
  missingFile: writes({ storageId: gone }),
  notAllowed: writes({ body: "" }),
  tooLong: writes({ owner: "abcdef" }),
  tooLongForIndex: writes({ author: randomBytes(10_000).toString("base64") }),
  tooLarge: query({ handler: (ctx) => ctx.db.file.findMany({ where: { size: 2n ** 70n } }) }),
  malformed: query({ args: { id: z.string() }, handler: (ctx) => ctx.db.message.findUnique({ where: { id: "abc" } }) }),
  missing: query({ handler: (ctx) => ctx.db.message.findUniqueOrThrow({ where: { id: gone } }) }),
  missingUpdate: mutation({ handler: (ctx) => ctx.db.message.update({ where: { id: gone }, data: message }) }),
  // These are mistakes of the program.
  badCast: query({ handler: (ctx) => ctx.db.$queryRaw`SELECT 'secret text'::uuid` }),
  nothing: mutation({
    handler: (ctx) => ctx.db.$executeRaw`INSERT INTO "messages" ("_id") VALUES (gen_random_uuid())`,
  }),
  unclaimed: mutation({
    handler: async (ctx) => {
      const file = await ctx.db.storage.findFirstOrThrow();
      await ctx.db.message.create({ data: { ...message, storageId: file.id } });
    },
  }),
};
const serve = serveRouter(createRouter({ module }));
const isQuery = (name: string) => ["tooLarge", "malformed", "missing", "badCast"].includes(name);

async function call(name: string) {
  const url = `http://app.test/api/trpc/module.${name}`;
  const input = encodeURIComponent('{"json":{"id":"a"}}');
  const request = isQuery(name) ? new Request(`${url}?input=${input}`) : new Request(url, { method: "POST" });
  const response = await serve(request);
  const { error } = await response.json();
  return { status: response.status, message: String(error?.json.message) };
}

beforeAll(async () => {
  await pool.query(`ALTER TABLE "messages" ALTER "owner" TYPE varchar(5), ADD CHECK ("body" <> '');
    ALTER TABLE "orders" ADD UNIQUE ("item") DEFERRABLE INITIALLY DEFERRED`);
  const { uploadFile } = await import("./caller");
  await uploadFile("one");
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test.each([
  ["sameId", 409, "a second time"],
  ["sameLater", 409, "a second time"],
  ["missingFile", 409, "is gone"],
  ["notAllowed", 409, "not allowed"],
  ["tooLong", 400, "too long"],
  ["tooLongForIndex", 400, "too long"],
  ["tooLarge", 400, "out of range"],
  ["malformed", 400, "malformed"],
  ["missing", 404, "does not exist"],
  ["missingUpdate", 404, "does not exist"],
])(
  "a call that the database refuses: %s answers %i, and names nothing of the database in production",
  async (name, status, words) => {
    vi.stubEnv("NODE_ENV", "production");
    const refused = await call(name);
    expect(refused).toEqual({ status, message: expect.stringContaining(words) });
    expect(refused.message).not.toMatch(/messages|orders|_key|_fkey|abc|secret|Prisma|prisma|column|constraint/);
  },
);

test.each(["badCast", "nothing", "unclaimed"])("a mistake of the program stays a failure: %s", async (name) => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  expect((await call(name)).status).toBe(500);
});

test("in development, and in the function log, the database's words say which constraint it was", async () => {
  expect((await call("sameId")).message).toMatch(/a second time.*\(Unique constraint failed.*messages_pkey/);
  expect(vi.mocked(record).mock.lastCall?.[0]).toMatchObject({
    outcome: "CONFLICT",
    error: expect.stringContaining("messages_pkey"),
  });
});

test("an HTTP action answers them, too, and can catch the error itself", async () => {
  vi.stubEnv("NODE_ENV", "production");
  const same = internalMutation({ handler: (ctx) => ctx.runMutation(module.sameId) });
  const http = httpRouter();
  http.route({
    path: "/same",
    method: "POST",
    handler: httpAction(async (ctx, request) => {
      const caught = new URL(request.url).searchParams.has("caught");
      const code = await ctx.runMutation(same).catch((error) => {
        if (!caught) throw error;
        return error.code;
      });
      return Response.json(code);
    }),
  });
  const post = (query = "") => serveHttp(http)(new Request(`http://app.test/http/same${query}`, { method: "POST" }));
  const refused = await post();
  expect([refused.status, await refused.json()]).toMatchObject([409, { code: "CONFLICT" }]);
  expect(await (await post("?caught")).json()).toBe("P2002");
  expect(await prisma.message.count()).toBe(0);
});

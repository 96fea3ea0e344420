import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { action, mutation, query, t } from "~/kit/functions/builders";
import { createSystemContext } from "~/kit/functions/request-context";
import { createRouter, serveRouter } from "~/kit/functions/router";
import { api } from "./caller";

const echo = query({
  args: { text: z.string(), times: z.number().optional() },
  handler: (_, { text, times = 1 }) => text.repeat(times),
});
const optional = query({ args: { text: z.string().optional() }, handler: (_, { text }) => text ?? "nothing" });
const rows = query({ handler: () => [{ id: "x", creationTime: new Date(5), size: 7n, tag: { id: 1 } }] });
const stripped = query({
  returns: z.array(z.object({ _id: z.string() })),
  handler: () => [{ id: "x", creationTime: new Date(5), secret: "s" }],
});
const lying = query({
  returns: z.object({ n: z.number() }),
  handler: () => JSON.parse('{"n":"one"}') as { n: number },
});
const broken = mutation({
  handler: () => {
    throw new Error("SELECT secrets FROM /etc");
  },
});
const chained = action({ handler: (ctx) => ctx.runQuery(echo, { text: "a", times: 3 }) });
const badChain = action({ handler: (ctx) => ctx.runQuery(echo, JSON.parse('{"text":1}') as { text: string }) });
const signedIn = query.use(() => ({ user: "ann" })).use((ctx) => ({ greeting: `hello ${ctx.user}` }));
const greet = signedIn({ handler: (ctx) => ctx.greeting });
const refused = query.use(() => Promise.reject(new Error("not today")))({ handler: () => "never" });

const router = createRouter({
  test: {
    echo,
    optional,
    rows,
    stripped,
    lying,
    broken,
    chained,
    badChain,
    greet,
    refused,
    constant: 1,
    plain: () => 1,
  },
});
const call = t.createCallerFactory(router)(createSystemContext()).test;

describe("builder", () => {
  test("args, checked and passed on", async () => {
    expect(await call.echo({ text: "ab", times: 2 })).toBe("abab");
  });

  test.each([
    ["a missing field", {}, /^text: /],
    ["a field of the wrong type", { text: "a", times: "2" }, /^times: .*number/],
    ["two wrong fields", { text: 1, times: "2" }, /^text: .*; times: /],
    ["no object", "text", /^arguments: /],
  ])("args, %s, BAD_REQUEST that names it", async (_, args, message) => {
    await expect(call.echo(args as { text: string })).rejects.toMatchObject({
      code: "BAD_REQUEST",
      message: expect.stringMatching(message),
    });
  });

  test("args, all optional, none needed", async () => {
    expect([await call.optional(), await call.optional({}), await call.optional({ text: "t" })]).toEqual([
      "nothing",
      "nothing",
      "t",
    ]);
  });

  test("result, rows are documents", async () => {
    expect(await call.rows()).toEqual([{ _id: "x", _creationTime: 5, size: 7, tag: { id: 1 } }]);
  });

  test("returns, what it does not name is left out", async () => {
    expect(await call.stripped()).toEqual([{ _id: "x" }]);
  });

  test("returns, a result that is something else throws", async () => {
    await expect(call.lying()).rejects.toThrow();
  });

  test("runQuery, arguments are checked too", async () => {
    expect(await call.chained()).toBe("aaa");
    await expect(call.badChain()).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("use, grows ctx step by step, or refuses", async () => {
    expect(await call.greet()).toBe("hello ann");
    await expect(call.refused()).rejects.toThrow("not today");
  });
});

describe("createRouter", () => {
  test("serves functions only", () => {
    expect(Object.keys(router._def.procedures)).not.toContain("test.constant");
    expect(Object.keys(router._def.procedures)).not.toContain("test.plain");
    expect(Object.keys(router._def.procedures)).toContain("test.echo");
  });
});

describe("/api/trpc", () => {
  const serve = serveRouter(router);
  const post = (name: string, body: string) =>
    serve(
      new Request(`http://app.test/api/trpc/${name}`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json", "content-length": String(body.length) },
      }),
    );

  test("GET query, 200 with superjson", async () => {
    const input = encodeURIComponent(JSON.stringify({ json: { text: "hi" } }));
    const response = await serve(new Request(`http://app.test/api/trpc/test.echo?input=${input}`));
    expect([response.status, await response.json()]).toEqual([200, { result: { data: { json: "hi" } } }]);
  });

  test("POST without a body, 200", async () => {
    const response = await serve(new Request("http://app.test/api/trpc/test.chained", { method: "POST" }));
    expect(response.status).toBe(200);
  });

  test("POST larger than a MiB, 413", async () => {
    const response = await post("test.broken", JSON.stringify({ json: "x".repeat(1024 * 1024) }));
    expect(response.status).toBe(413);
  });

  test("batch of more than 50, 400", async () => {
    const names = Array.from({ length: 51 }, () => "test.optional").join(",");
    const response = await serve(new Request(`http://app.test/api/trpc/${names}?batch=1&input={}`));
    expect(response.status).toBe(400);
  });

  test("unknown function, 404", async () => {
    expect((await post("test.unknown", "{}")).status).toBe(404);
  });
});

describe("messages", () => {
  test("list, pages newest last, older by cursor", async () => {
    for (const n of [1, 2, 3, 4, 5]) await api.messages.sendMessage({ author: "a", body: `${n}` });
    const latest = await api.messages.list({ limit: 2 });
    const older = await api.messages.list({ limit: 2, cursor: latest.nextCursor });
    const oldest = await api.messages.list({ limit: 2, cursor: older.nextCursor });
    const bodies = [latest, older, oldest].map(({ page }) => page.map(({ body }) => body));
    expect(bodies).toEqual([["4", "5"], ["2", "3"], ["1"]]);
    expect(oldest.nextCursor).toBeNull();
  });
});

describe("what a function returns", () => {
  const answer = async (handler: () => unknown, kind: "query" | "mutation" = "query") => {
    const { createRouter } = await import("~/kit/functions/router");
    const { serveRouter } = await import("~/kit/functions/router");
    const { transformer } = await import("~/kit/functions/transformer");
    const made = kind === "query" ? query({ handler }) : mutation({ handler });
    const init = kind === "query" ? {} : { method: "POST" };
    const handle = serveRouter(createRouter({ sent: { made } }));
    const response = await handle(new Request("http://app.test/api/trpc/sent.made", init));
    const body = await response.json();
    return response.status === 200 ? transformer.deserialize(body.result.data) : body.error;
  };

  test.each(["constructor", "prototype", "__proto__"])("arrives whole with a key %s", async (key) => {
    const sent = JSON.parse(`{"a": [{"${key}": {"polluted": true}, "b": 1}], "date": "x"}`);
    const received = await answer(() => sent);
    expect(JSON.stringify(received)).toBe(JSON.stringify(sent));
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test("arrives with decimals as texts, and dates, bytes and big integers as they are typed", async () => {
    const { Prisma } = await import("~/generated/prisma/client");
    const sent = { price: new Prisma.Decimal("0.10"), at: new Date(5), big: 5n, none: undefined };
    expect(await answer(() => sent)).toEqual({ price: "0.1", at: new Date(5), big: 5, none: undefined });
  });

  const itself: { self?: unknown } = {};
  itself.self = itself;
  test.each([
    ["a function", { deep: [{ run: () => 1 }] }, /result\.deep\.0\.run/],
    ["a symbol", [Symbol("a")], /result\.0/],
    ["an instance of Promise", { later: Promise.resolve() }, /result\.later/],
    ["nested too deeply", itself, /result\.self/],
  ])("is refused before the commit when it holds %s, with the place", async (what, value, place) => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const error = await answer(() => value, "mutation");
    expect(error.json.message).toContain(what);
    expect(error.json.message).toMatch(place);
  });
});

describe("a function that is written wrong is refused where it is defined, with what to write", () => {
  /** A definition by someone whose editor shows no types. */
  const define = (config: unknown) => () => query(config as Parameters<typeof query>[0]);
  const handler = () => 1;
  test.each([
    ["a zod object for args", { args: z.object({ body: z.string() }), handler }, /`args` is a zod type.*args: \{ body/],
    ["an argument without a zod type", { args: { body: "string" }, handler }, /`args\.body` is not a zod type/],
    ["no handler", { args: {} }, /has no handler\. Write query\(\{ args/],
    ["a shape for returns", { returns: { id: z.string() }, handler }, /`returns` is not a zod type/],
  ])("%s", (_, config, sentence) => {
    expect(define(config)).toThrow(sentence);
  });
});

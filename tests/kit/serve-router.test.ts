import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { mutation, query } from "~/kit/functions/builders";
import { createRequestContext } from "~/kit/functions/request-context";
import { createRouter, serveRouter } from "~/kit/functions/router";
import { limits } from "~/kit/process/limits";

let running = 0;
let most = 0;
const module = {
  slow: query({
    handler: async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 20));
      running -= 1;
      return "done";
    },
  }),
  read: query({ args: { text: z.string() }, handler: (_, { text }) => text }),
  plain: mutation({ handler: () => "done" }),
  take: mutation({ args: { text: z.string().max(10), list: z.array(z.string()).optional() }, handler: () => "taken" }),
};
const handler = serveRouter(createRouter({ module }));
const get = (path: string, inputs: unknown) =>
  handler(new Request(`http://app.test/api/trpc/${path}?batch=1&input=${encodeURIComponent(JSON.stringify(inputs))}`));
const send = (body: string | Buffer<ArrayBuffer>, headers: HeadersInit = {}) =>
  handler(
    new Request("http://app.test/api/trpc/module.take", {
      method: "POST",
      body,
      headers: { "Content-Type": "application/json", ...headers },
    }),
  );
const calls = (count: number) => Array(count).fill("module.slow").join(",");

describe("a batch", () => {
  test(`of ${limits.batchCalls} calls is answered, ${limits.batchConcurrency} of them at a time`, async () => {
    most = 0;
    const response = await get(calls(limits.batchCalls), {});
    expect(await response.json()).toHaveLength(limits.batchCalls);
    expect(most).toBe(limits.batchConcurrency);
  });

  test("of more calls is refused, and none of them runs", async () => {
    most = 0;
    const response = await get(calls(limits.batchCalls + 1), {});
    expect(response.status).toBe(400);
    expect(most).toBe(0);
  });

  test("in which a call fails gives its turn to the next", async () => {
    const response = await get(`${Array(8).fill("module.none").join(",")},module.slow,module.slow`, {});
    const answers: { result?: unknown }[] = await response.json();
    expect(answers.filter(({ result }) => result)).toHaveLength(2);
  });
});

test("a text that would change when it is stored is refused", async () => {
  const get = (input: string) => handler(new Request(`http://app.test/api/trpc/module.read?input=${input}`));
  const text = async (response: Response) => [response.status, (await response.json()).error?.json.message];
  expect(await text(await get("%7B%22json%22:%7B%22text%22:%22%C3%A9%22%7D%7D"))).toEqual([200, undefined]);
  const [encoding, half] = ["is not UTF-8", "text: the text has a NUL or half of a surrogate pair"];
  expect(await text(await get("%7B%22json%22:%7B%22text%22:%22%E9%22%7D%7D"))).toEqual([
    400,
    expect.stringContaining(encoding),
  ]);
  expect(await text(await get(encodeURIComponent('{"json":{"text":"\\ud800"}}')))).toEqual([
    400,
    expect.stringContaining(half),
  ]);
  expect(await text(await send('{"json":{"text":"\\ud800"}}'))).toEqual([400, expect.stringContaining(half)]);
  expect(await text(await send(Buffer.from('{"json":{"text":"\xe9"}}', "latin1")))).toEqual([
    400,
    expect.stringContaining(encoding),
  ]);
});

describe("a body", () => {
  test("that announces more than the limit is refused before it is read", async () => {
    const response = await send("{}", { "Content-Length": String(limits.jsonBytes + 1) });
    expect(response.status).toBe(413);
    const { error } = await response.json();
    expect(error.json.data).toMatchObject({ code: "PAYLOAD_TOO_LARGE", httpStatus: 413 });
    expect(error.json.message).toContain(String(limits.jsonBytes));
  });

  test("that turns out larger is refused", async () => {
    const response = await send(JSON.stringify({ json: { text: "a".repeat(limits.jsonBytes) } }));
    expect(response.status).toBe(413);
  });

  test("of more values than its calls may have is refused before it is parsed", async () => {
    const body = `{"json":[${"[],".repeat(50_000)}`;
    const response = await send(body);
    expect(response.status).toBe(400);
    expect((await response.json()).error.json.message).toMatch(/more than \d+ values/);
  });

  test("that breaks off is a 400, and no failure of the server", async () => {
    const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("The client went away")) });
    const init = { method: "POST", body: broken, duplex: "half", headers: { "Content-Type": "application/json" } };
    const response = await handler(new Request("http://app.test/api/trpc/module.take", init));
    expect(response.status).toBe(400);
    expect((await response.json()).error.json.message).toContain("broke off");
  });

  test("that is empty is one without arguments: curl sends none", async () => {
    const response = await handler(new Request("http://app.test/api/trpc/module.plain", { method: "POST" }));
    expect(await response.json()).toEqual({ result: { data: { json: "done" } } });
  });

  test("of a kind that arguments never need is a 400 that says so", async () => {
    const response = await send('{"json":{"text":1e9},"meta":{"values":{"text":[["typed-array","Uint8Array"]]}}}');
    expect(response.status).toBe(400);
    expect((await response.json()).error.json.message).toContain("typed-array");
  });

  test("with thousands of wrong values is refused with a short message", async () => {
    const response = await send(JSON.stringify({ json: { text: "a", list: Array(9_000).fill(0) } }));
    expect(response.status).toBe(400);
    const { message } = (await response.json()).error.json;
    expect(message).toContain("list.0: ");
    expect(message).toContain("more problems");
    expect(message.length).toBeLessThan(2_000);
  });

  test("with a wrong value as long as the limit is refused with a short message", async () => {
    const unknown = { [`k${"x".repeat(100_000)}`]: "a".repeat(100_000) };
    const response = await send(JSON.stringify({ json: { text: "a".repeat(1_000), ...unknown } }));
    expect(response.status).toBe(400);
    expect((await response.text()).length).toBeLessThan(5_000);
  });
});

test.each(["_kit.changes/", "_kit%2Echanges", "_kit.changes,_kit.changes", "/_kit.changes"])(
  "changes are not streamed at %s, where streams are not counted",
  async (path) => {
    const response = await handler(new Request(`http://app.test/api/trpc/${path}?input=%7B%22json%22%3A%7B%7D%7D`));
    // The response ends, with a refusal.
    const text = await response.text();
    expect(text).toMatch(/NOT_FOUND|METHOD_NOT_SUPPORTED|BAD_REQUEST/);
  },
);

test("answers are never cached", async () => {
  for (const response of [await get("module.slow", {}), await send("{"), await get("module.none", {})]) {
    expect(response.headers.get("cache-control")).toBe("private, no-store");
  }
});

describe("calls are answered as tRPC answers them", () => {
  const router = createRouter({ module });
  const byTrpc = (request: Request) =>
    fetchRequestHandler({
      endpoint: "/api/trpc",
      req: request,
      router,
      createContext: () => createRequestContext(request),
      maxBatchSize: limits.batchCalls,
    });
  const post = (path: string, body: unknown, headers = {}): [path: string, init: RequestInit] => [
    path,
    { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } },
  ];
  const query = (input: unknown) => `input=${encodeURIComponent(JSON.stringify(input))}`;
  const taken = { json: { text: "short" } };
  const wrong = { json: { text: "too long a text" } };

  test.each<[what: string, path: string, init?: RequestInit]>([
    ["a query", "module.slow"],
    ["a query with an input", `module.slow?${query({ json: {} })}`],
    ["a batch of queries", `module.slow,module.slow?batch=1&${query({ 0: { json: {} } })}`],
    ["a batch of one", `module.slow?batch=1&${query({})}`],
    ["a batch whose input is no object", `module.slow?batch=1&${query(1)}`],
    ["a mutation", ...post("module.take", taken)],
    ["a mutation without arguments", ...post("module.plain", {})],
    ["a mutation whose arguments are wrong", ...post("module.take", wrong)],
    ["a batch in which all fail", ...post("module.take,module.take?batch=1", { 0: wrong, 1: wrong })],
    ["a batch in which one fails", ...post("module.take,module.take?batch=1", { 0: wrong, 1: taken })],
    ["a mutation by GET", "module.plain"],
    ["a query by POST", ...post("module.slow", {})],
    ["queries and mutations in one batch", "module.slow,module.plain?batch=1"],
    ["a name that no procedure has", "module.none"],
    ["a name of every object", "toString"],
    ["input that is no JSON", "module.slow?input=%7B"],
    ["a type that is no JSON", ...post("module.take", taken, { "Content-Type": "text/plain" })],
    ["a stream of answers", `module.slow?batch=1&${query({})}`, { headers: { "trpc-accept": "application/jsonl" } }],
  ])("%s", async (_, path, init) => {
    const request = () => new Request(`http://app.test/api/trpc/${path}`, init);
    const [ours, theirs] = await Promise.all([handler(request()), byTrpc(request())]);
    const withoutStacks = async (response: Response) =>
      (await response.text()).replace(/"stack":"(?:[^"\\]|\\.)*"/g, "").replace(/"requestId":"[^"]*"/g, "");
    expect([ours.status, await withoutStacks(ours)]).toEqual([theirs.status, await withoutStacks(theirs)]);
    for (const name of ["content-type", "vary"]) expect(ours.headers.get(name)).toBe(theirs.headers.get(name));
  });
});

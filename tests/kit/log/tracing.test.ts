import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { trace } from "@opentelemetry/api";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { action, mutation } from "~/kit/functions/builders";
import { actionCtx } from "~/kit/functions/context";
import { createSystemContext } from "~/kit/functions/request-context";
import { createRouter } from "~/kit/functions/router";
import { startTracing } from "~/kit/log/tracing";

interface Span {
  name: string;
  spanId: string;
  parentSpanId?: string;
  status: { code?: number; message?: string };
  attributes: { key: string; value: { stringValue?: string } }[];
}

interface Export {
  resourceSpans: { scopeSpans: { spans: Span[] }[] }[];
}

const spans: Span[] = [];
/** A collector that receives OTLP over HTTP, as JSON. */
const collector = createServer(async (request, response) => {
  const { resourceSpans } = (await json(request)) as Export;
  spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
  response.setHeader("Content-Type", "application/json").end("{}");
});

beforeAll(async () => {
  await once(collector.listen(0, "127.0.0.1"), "listening");
  const { port } = collector.address() as AddressInfo;
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", `http://127.0.0.1:${port}`);
  vi.stubEnv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
  await startTracing();
});
afterAll(() => {
  vi.unstubAllEnvs();
  collector.close();
});
beforeEach(() => {
  spans.length = 0;
});

/** Flushes the spans that ended, and returns what was sent. */
async function exported(): Promise<Span[]> {
  const provider = trace.getTracerProvider() as unknown as { getDelegate(): { forceFlush(): Promise<void> } };
  await provider.getDelegate().forceFlush();
  return spans;
}

const save = mutation({
  handler: async (ctx) => {
    await ctx.db.message.create({ data: { author: "a", body: "b", format: "text" } });
    await ctx.runMutation(nested);
  },
});
const nested = mutation({ handler: async (ctx) => void (await ctx.db.message.count()) });
const store = action({
  handler: async (ctx) => {
    const id = await ctx.storage.store(new Blob(["bytes"]));
    await ctx.runMutation(save);
    return (await ctx.storage.get(id))?.text();
  },
});
const fail = action({ handler: () => Promise.reject(new Error("of https://s3.test/?token=secret")) });
createRouter({ test: { save, nested, store, fail } });

/** Arranges the spans as a tree: each below the span within which it ran. */
function tree(spans: Span[], parent?: string): unknown[] {
  return spans
    .filter(({ parentSpanId }) => (parentSpanId || undefined) === parent)
    .map(({ name, spanId }) => {
      const below = tree(spans, spanId);
      return below.length > 0 ? { [name]: below } : name;
    });
}

test("a function, its transaction, and calls of the blob store, each a span in that which it ran in", async () => {
  await actionCtx(createSystemContext()).runAction(store);
  expect(tree(await exported())).toEqual([
    {
      "action test.store": [
        "blob put",
        { "mutation test.save": [{ transaction: ["mutation test.nested"] }] },
        "blob get",
      ],
    },
  ]);
});

test("a function that fails, its span with an error and the request's id, without secrets", async () => {
  const caller = createSystemContext();
  await expect(actionCtx(caller).runAction(fail)).rejects.toThrow();
  expect(await exported()).toMatchObject([
    {
      name: "action test.fail",
      status: { code: 2, message: "Error: of https://s3.test/?token=[secret]" },
      attributes: expect.arrayContaining([{ key: "request.id", value: { stringValue: caller.requestId } }]),
    },
  ]);
});

test("URLs that others note, without what would let their reader act", async () => {
  const url = "/api/storage/upload?token=eyJzdG9yYWdlSWQiOiIw.n0x6X3Qk2OYQIMGceJiBBMyTg9O50bdPXJ5q0dY2lks";
  trace
    .getTracer("next.js")
    .startSpan("GET", { attributes: { "http.target": url } })
    .end();
  const [span] = await exported();
  expect(span?.attributes).toContainEqual({
    key: "http.target",
    value: { stringValue: "/api/storage/upload?token=[secret]" },
  });
});

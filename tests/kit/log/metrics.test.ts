import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { prisma } from "~/kit/database/database";
import { deleteUnownedBlobs } from "~/kit/storage/garbage-collection";
import { deleteFile } from "~/kit/storage/ownership";
import { api, uploadFile } from "../caller";

interface Point {
  attributes: { key: string; value: { stringValue?: string; intValue?: number } }[];
  asInt?: number | string;
  asDouble?: number;
  count?: number | string;
}
interface Metric {
  name: string;
  unit: string;
  gauge?: { dataPoints: Point[] };
  sum?: { dataPoints: Point[] };
  histogram?: { dataPoints: Point[] };
}

const metrics = new Map<string, Point[]>();
/** A collector that receives OTLP over HTTP, as JSON. */
const collector = createServer(async (request, response) => {
  const body = (await json(request)) as { resourceMetrics: { scopeMetrics: { metrics: Metric[] }[] }[] };
  for (const { scopeMetrics } of body.resourceMetrics) {
    for (const { name, gauge, sum, histogram } of scopeMetrics.flatMap(({ metrics }) => metrics)) {
      metrics.set(name, (gauge ?? sum ?? histogram)?.dataPoints ?? []);
    }
  }
  response.setHeader("Content-Type", "application/json").end("{}");
});
const app = createServer((request, response) => request.resume().on("end", () => response.end("x".repeat(5_000))));

const portOf = (server: typeof app) => (server.address() as AddressInfo).port;

beforeAll(async () => {
  await Promise.all([collector, app].map((server) => once(server.listen(0, "127.0.0.1"), "listening")));
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", `http://127.0.0.1:${portOf(collector)}`);
});
afterAll(() => {
  vi.unstubAllEnvs();
  for (const server of [app, collector]) {
    server.closeAllConnections();
    server.close();
  }
});

const numberOf = (point: Point | undefined) => Number(point?.asInt ?? point?.asDouble);

const attributesOf = ({ attributes }: Point) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]));

test("what is measured until the end is sent at the end, with few values of each attribute", async () => {
  const exit = vi.spyOn(process, "exit").mockImplementation((() => undefined) as never);
  const { startMetrics } = await import("~/kit/log/metrics");
  const { endInOrder } = await import("~/kit/process/process-wide");
  endInOrder();
  startMetrics();
  const url = `http://127.0.0.1:${portOf(app)}/api/run/messages/list?token=a-secret`;
  await (await fetch(url, { method: "POST", body: "y".repeat(3_000) })).text();
  await api.messages.list({ limit: 1 });
  const storageId = await uploadFile("a file");
  await deleteFile(prisma, storageId, true);
  await deleteUnownedBlobs();
  await prisma.scheduledFunction.create({ data: { name: "a.b", args: {}, scheduledTime: new Date(0) } });
  expect(metrics.size).toBe(0);

  process.emit("SIGTERM");
  // Next.js ends the process in this way.
  const end: (code: number) => unknown = process.exit;
  end(0);
  await vi.waitFor(() => expect(exit).toHaveBeenCalledWith(0));

  const [request] = metrics.get("http.server.request.duration") ?? [];
  expect(attributesOf(request as Point)).toEqual({
    "http.request.method": "POST",
    "http.response.status_code": 200,
    "http.route": "/api/run",
  });
  expect(numberOf(metrics.get("http.server.sent")?.[0])).toBeGreaterThan(5_000);
  expect(numberOf(metrics.get("http.server.received")?.[0])).toBeGreaterThan(3_000);
  const calls = metrics.get("kit.function.duration")?.map(attributesOf);
  expect(calls).toContainEqual({ function: "messages.list", kind: "query", outcome: "ok" });
  const deleted = metrics.get("kit.storage.deleted")?.map((point) => [attributesOf(point).what, numberOf(point)]);
  expect(deleted).toContainEqual(["blobs", 1]);
  const jobs = metrics.get("kit.jobs")?.map((point) => [attributesOf(point).state, numberOf(point)]);
  expect(jobs).toContainEqual(["due", 1]);
  const connections = metrics.get("db.client.connection.max")?.map(attributesOf);
  expect(connections).toEqual([{ pool: "functions" }, { pool: "lookups" }, { pool: "upkeep" }]);
  for (const name of [
    "kit.streams",
    "nodejs.eventloop.delay.p99",
    "nodejs.eventloop.utilization",
    "process.memory.usage",
  ]) {
    expect(metrics.get(name), name).toHaveLength(1);
  }
  expect(JSON.stringify([...metrics])).not.toContain("a-secret");
});

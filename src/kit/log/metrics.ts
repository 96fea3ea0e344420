import { subscribe } from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { pools } from "../database/database";
import { openStreams } from "../live/serve-changes";
import { sendLast } from "../process/process-wide";
import { blobsDeleted, type Deleted } from "../storage/garbage-collection";
import { callsEnded, type EndedCall } from "./observe";
import { serviceName } from "./tracing";

// Loaded only where a collector is named, so that it costs nothing elsewhere. docs/operating.md lists the metrics.

/** Starts to measure, and to send what was measured each minute and at the end of the process. */
export function startMetrics(): void {
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    exportIntervalMillis: Number(process.env.OTEL_METRIC_EXPORT_INTERVAL ?? 60_000),
    exportTimeoutMillis: 10_000,
  });
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ "service.name": process.env.OTEL_SERVICE_NAME ?? serviceName }),
    readers: [reader],
  });
  const meter = provider.getMeter("next-trpc-storage");
  const seconds = {
    unit: "s",
    advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
  };
  const bytes = { unit: "By" };

  const requests = meter.createHistogram("http.server.request.duration", seconds);
  const sent = meter.createCounter("http.server.sent", bytes);
  const received = meter.createCounter("http.server.received", bytes);
  const began = new WeakMap<IncomingMessage, number>();
  // The counts when a connection's last request ended. Its next request begins only after that.
  const counted = new WeakMap<object, { read: number; written: number }>();
  subscribe("http.server.request.start", (message) => {
    const { request } = message as { request: IncomingMessage };
    began.set(request, performance.now());
  });
  subscribe("http.server.response.finish", (message) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    const { socket } = request;
    const [start, before] = [began.get(request), counted.get(socket) ?? { read: 0, written: 0 }];
    counted.set(socket, { read: socket.bytesRead, written: socket.bytesWritten });
    if (start === undefined) return;
    const attributes = {
      "http.request.method": request.method ?? "",
      "http.response.status_code": response.statusCode,
      "http.route": routeOf(request.url ?? ""),
    };
    requests.record((performance.now() - start) / 1000, attributes);
    sent.add(socket.bytesWritten - before.written, attributes);
    received.add(socket.bytesRead - before.read, attributes);
  });

  const calls = meter.createHistogram("kit.function.duration", seconds);
  subscribe(callsEnded.name, (message) => {
    const { name, kind, outcome, milliseconds } = message as EndedCall;
    calls.record(milliseconds / 1000, { function: name, kind, outcome });
  });

  const deletedBlobs = meter.createCounter("kit.storage.deleted", {
    description: "Files and blobs that garbage collection deleted",
  });
  const deletedBytes = meter.createCounter("kit.storage.deleted.bytes", bytes);
  subscribe(blobsDeleted.name, (message) => {
    const { what, count, bytes } = message as Deleted;
    deletedBlobs.add(count, { what });
    deletedBytes.add(bytes, { what });
  });

  meter.createObservableGauge("db.client.connection.count").addCallback((result) => {
    for (const [name, pool] of Object.entries(pools)) {
      result.observe(pool.totalCount - pool.idleCount, { pool: name, state: "used" });
      result.observe(pool.idleCount, { pool: name, state: "idle" });
    }
  });
  meter.createObservableGauge("db.client.connection.max").addCallback((result) => {
    for (const [name, pool] of Object.entries(pools)) result.observe(pool.options.max ?? 0, { pool: name });
  });
  meter.createObservableGauge("db.client.connection.pending_requests").addCallback((result) => {
    for (const [name, pool] of Object.entries(pools)) result.observe(pool.waitingCount, { pool: name });
  });
  meter
    .createObservableGauge("kit.jobs", { description: "Jobs of all processes together" })
    .addCallback(async (result) => {
      const rows = await pools.lookups
        .sql<{ state: string; jobs: number }>(
          `SELECT CASE WHEN "state" = 'pending' AND "scheduledTime" < now() THEN 'due' ELSE "state"::text END AS "state", count(*)::int AS "jobs"
         FROM "_scheduled_functions" WHERE "state" IN ('pending', 'inProgress') GROUP BY 1`,
        )
        // The metrics of the pool show that the database is unavailable.
        .catch(() => []);
      for (const { state, jobs } of rows) result.observe(jobs, { state });
    });
  meter
    .createObservableGauge("kit.streams", { description: "Open streams of live queries" })
    .addCallback((result) => result.observe(openStreams()));

  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let before = performance.eventLoopUtilization();
  meter.createObservableGauge("nodejs.eventloop.delay.p99", { unit: "s" }).addCallback((result) => {
    result.observe(delay.percentile(99) / 1e9);
    delay.reset();
  });
  meter.createObservableGauge("nodejs.eventloop.utilization").addCallback((result) => {
    const now = performance.eventLoopUtilization();
    result.observe(performance.eventLoopUtilization(now, before).utilization);
    before = now;
  });
  meter
    .createObservableGauge("process.memory.usage", bytes)
    .addCallback((result) => result.observe(process.memoryUsage.rss()));
  sendLast(() => provider.shutdown());
}

/** What a request is for, in few enough groups for a metric. */
function routeOf(url: string): string {
  const [path = ""] = url.split("?");
  const [, route] =
    /^(\/api\/(?:trpc|run|auth|cron|health|storage\/upload|storage|openapi\.json)|\/http|\/_next|\/dashboard)(?:\/|$)/.exec(
      path,
    ) ?? [];
  return route ?? "page";
}

// src/instrumentation-node.ts imports this.

import type { App } from "./create-kit";
import type { DirectRoutes } from "./http/direct-routes";

/**
 * Starts everything that a process does besides serving. An error that keeps the app from starting ends the process.
 *
 * @param load imports the app, after tracing has begun. On Vercel, where each function loads what it serves, it is only called
 * before the first file that a process stores.
 * Development passes none, because compiling all functions would delay the first page. There the cron route runs the jobs
 * @param routes the route files that `next start` serves without routing by Next.js: see docs/decisions/056
 */
export async function register(load?: () => Promise<Pick<App, "crons">>, routes?: DirectRoutes): Promise<void> {
  // The reader of the log may be gone. Next.js would log that as an uncaught exception, which would fail again, endlessly.
  for (const log of [process.stdout, process.stderr]) log.on("error", () => undefined);
  try {
    const isObserved = Boolean(process.env.OTEL_EXPORTER_OTLP_ENDPOINT);
    if (isObserved) await (await import("./log/tracing")).startTracing();
    const [{ env, onVercel }, { start }] = await Promise.all([import("./process/env"), import("./process/start")]);
    // Vercel suspends processes between requests.
    if (isObserved && !onVercel()) (await import("./log/metrics")).startMetrics();
    const app = onVercel() ? undefined : await load?.();
    await start(app, load);
    // Tracing shows the spans of Next.js around those of the kit.
    if (!routes || onVercel() || isObserved || env.DIRECT_ROUTES === "0") return;
    await (await import("./http/direct-routes")).routeDirectly(routes);
  } catch (error) {
    // Next.js would report the error and serve anyway.
    console.error(error instanceof Error ? error.stack : error);
    process.exit(1);
  }
}

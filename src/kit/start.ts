// src/instrumentation-node.ts imports this.

import type { App } from "./create-kit";

/**
 * Starts everything that a process does besides serving. An error that keeps the app from starting ends the process.
 *
 * @param load imports the app, after tracing has begun. Development passes none, because compiling all functions would delay
 * the first page. There the cron route runs the jobs
 */
export async function register(load?: () => Promise<Pick<App, "crons">>): Promise<void> {
  // The reader of the log may be gone. Next.js would log that as an uncaught exception, which would fail again, endlessly.
  for (const log of [process.stdout, process.stderr]) log.on("error", () => undefined);
  try {
    if (process.env.OTEL_EXPORTER_OTLP_ENDPOINT) await (await import("./log/tracing")).startTracing();
    const app = await load?.();
    const { start } = await import("./process/start");
    await start(app);
  } catch (error) {
    // Next.js would report the error and serve anyway.
    console.error(error instanceof Error ? error.stack : error);
    process.exit(1);
  }
}

// What src/instrumentation-node.ts imports.

import type { App } from "./create-kit";

/**
 * What the process does once, beside serving. Whatever keeps the app from starting ends the process.
 *
 * @param load imports the app, once tracing has begun. In development there is none: to compile all functions would keep the
 * first page waiting, and the route of crons runs them
 */
export async function register(load?: () => Promise<Pick<App, "crons">>): Promise<void> {
  // Whoever read the log may be gone. Next.js would log that as an uncaught exception, which fails too, without end.
  for (const log of [process.stdout, process.stderr]) log.on("error", () => undefined);
  try {
    if (process.env.OTEL_EXPORTER_OTLP_ENDPOINT) (await import("./log/start-tracing")).startTracing();
    const app = await load?.();
    const { start } = await import("./process/start");
    await start(app);
  } catch (error) {
    // Next.js would report it and serve all the same.
    console.error(error instanceof Error ? error.stack : error);
    process.exit(1);
  }
}

import type { App } from "../create-kit";

/**
 * What the process does once, beside serving: `src/instrumentation-node.ts` calls it. Whatever keeps the app from starting ends
 * the process.
 *
 * @param load imports the app, once tracing has begun
 */
export async function register(load: () => Promise<Pick<App, "crons" | "owners">>): Promise<void> {
  // Whoever read the log may be gone. Next.js would log that as an uncaught exception, which fails too, without end.
  for (const log of [process.stdout, process.stderr]) log.on("error", () => undefined);
  try {
    if (process.env.OTEL_EXPORTER_OTLP_ENDPOINT) (await import("../log/start-tracing")).startTracing();
    const { crons, owners } = await load();
    const { start } = await import("./start");
    await start(crons, owners);
  } catch (error) {
    // Next.js would report it and serve all the same.
    console.error(error instanceof Error ? error.stack : error);
    process.exit(1);
  }
}

/** Starts what the process does beside serving. Whatever keeps it from starting ends the process. */
export async function register(): Promise<void> {
  // Whoever read the log may be gone. Next.js would log that as an uncaught exception, which fails too, without end.
  for (const log of [process.stdout, process.stderr]) log.on("error", () => undefined);
  try {
    if (process.env.OTEL_EXPORTER_OTLP_ENDPOINT) (await import("~/server/tracing/start-tracing")).startTracing();
    // The scheduler runs functions by their names.
    const { crons, owners } = await import("~/functions");
    const { start } = await import("~/server/start");
    await start(crons, owners);
  } catch (error) {
    // Next.js would report it and serve all the same.
    console.error(error instanceof Error ? error.stack : error);
    process.exit(1);
  }
}

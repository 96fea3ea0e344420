/** Runs once when the server starts; what it throws stops the start. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== "nodejs") return;
  // The scheduler runs functions by their names.
  const { crons } = await import("~/functions");
  const { start } = await import("~/server/start");
  await start(crons);
}

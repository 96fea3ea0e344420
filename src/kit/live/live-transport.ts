import { env } from "../process/env";

/** How pages hear of changes: on Vercel each stream would keep a function, and with it the database, awake. */
export function liveTransport(): "stream" | "poll" {
  if (env.LIVE_TRANSPORT !== "auto") return env.LIVE_TRANSPORT;
  return process.env.VERCEL === "1" ? "poll" : "stream";
}

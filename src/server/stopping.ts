import { setMaxListeners } from "node:events";
import { processWide } from "./process-wide";

/** Milliseconds for requests under way; orchestrators kill a process that takes longer than half a minute. */
const patience = 25_000;

/**
 * Aborted when the process is asked to end. Next.js then takes no new requests, and exits when those under way have
 * ended: what would go on for ever has to end by this signal. What is cut off after 25 s leaves nothing: uploads are
 * listed until they are whole, and the sweeper collects their bytes.
 */
export const stopping: AbortSignal = processWide("stopping", () => {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const stop = () => {
    controller.abort();
    setTimeout(() => {
      console.error(`Requests under way did not end in ${patience / 1000} s; cutting them off`);
      process.exit(1);
    }, patience).unref();
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  return controller.signal;
});

import { UploadError } from "./upload-error";

/** Milliseconds before each further attempt; less when the browser comes online again. */
const waits = [500, 1_000, 2_000, 5_000, 10_000, 20_000];

/** Sends again what was not answered, or answered by a server in trouble. The last answer, or failure, is the outcome. */
export async function retryWhenLost<T extends { status: number }>(
  attempt: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (const wait of waits) {
    const answer = await attempt().catch((error) => {
      if (error instanceof UploadError && error.code === "ConnectionLost") return null;
      throw error;
    });
    if (answer && answer.status < 500 && answer.status !== 429) return answer;
    await pause(wait, signal);
  }
  return attempt();
}

/** Ends early when the browser is online again; rejects with the signal's reason when aborted. */
function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal?.removeEventListener("abort", done);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(done, milliseconds);
    window.addEventListener("online", done);
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
}

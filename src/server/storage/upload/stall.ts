import type { Chunk } from "../drivers/driver";
import { UploadError } from "./upload-error";

/** Passes the chunks on; throws `RequestTimeout` when none comes for `milliseconds`, `IncompleteBody` when it breaks off. */
export async function* withStallTimeout(body: ReadableStream<Chunk>, milliseconds: number): AsyncGenerator<Chunk> {
  const reader = body.getReader();
  let waiting = false;
  let stalled = false;
  // Cancelling ends the read that waits. A race against the timer would keep every chunk of it in memory.
  const timer = setTimeout(() => {
    stalled = waiting;
    if (stalled) reader.cancel().catch(() => undefined);
  }, milliseconds);
  try {
    for (;;) {
      waiting = true;
      timer.refresh();
      const { done, value } = await reader.read().catch(brokenOff);
      waiting = false;
      if (stalled) {
        throw new UploadError("RequestTimeout", `No bytes came for ${milliseconds / 1000} s; send the file again`);
      }
      if (done) return;
      yield value;
    }
  } finally {
    clearTimeout(timer);
    // Not awaited: cancelling a body that stalls may never end.
    reader.cancel().catch(() => undefined);
  }
}

function brokenOff(cause: unknown): never {
  throw new UploadError("IncompleteBody", "The body broke off; send the file again", {}, { cause });
}

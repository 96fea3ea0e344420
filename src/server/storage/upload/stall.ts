import type { Chunk } from "../drivers/driver";
import { UploadError } from "./upload-error";

/** Passes the chunks on; throws `RequestTimeout` when none comes for `milliseconds`, `IncompleteBody` when it breaks off. */
export async function* withStallTimeout(body: ReadableStream<Chunk>, milliseconds: number): AsyncGenerator<Chunk> {
  const reader = body.getReader();
  let giveUp: (error: UploadError) => void = () => undefined;
  const stalled = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  stalled.catch(() => undefined);
  const timer = setTimeout(() => {
    giveUp(new UploadError("RequestTimeout", `No bytes came for ${milliseconds / 1000} s; send the file again`));
  }, milliseconds);
  try {
    for (;;) {
      timer.refresh();
      const { done, value } = await Promise.race([reader.read().catch(brokenOff), stalled]);
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

import { clientNetwork } from "../../http/client-address";
import { env } from "../../process/env";
import type { Chunk } from "../drivers/driver";
import { uploadHours } from "../ledger";
import { receiveFile } from "../receive";
import { checkPermit, readPermit } from "./permit";
import { uploadEndpoint } from "./upload-endpoint";
import { UploadError } from "./upload-error";
import { parseContentLength, parseContentType, parseDigests } from "./upload-headers";

/** `POST /api/storage/upload?token=…`: the raw body becomes a file. */
export const upload = uploadEndpoint(async (request) => {
  const permit = readPermit(new URL(request.url));
  const contentType = parseContentType(request.headers);
  const size = parseContentLength(request.headers);
  const sha256 = parseDigests(request.headers);
  checkPermit(permit, { contentType, size });
  const { storageId, maxSize, owner } = permit;
  const timeouts = { stall: env.UPLOAD_STALL_TIMEOUT, whole: uploadHours * 3_600_000 };
  const body = withTimeouts(request.body ?? new Blob().stream(), timeouts);
  // Uploads that began in time may end this much later.
  const spentUntil = permit.expiresAt + 2 * uploadHours * 3_600_000;
  const network = clientNetwork(request.headers);
  await receiveFile({ storageId, body, contentType, sha256, size, maxSize, owner, network, spentUntil });
  return { storageId };
});

interface Timeouts {
  /** Milliseconds without a chunk. */
  stall: number;
  /** Milliseconds for the whole body: the sweeper takes an upload for dead some time later. */
  whole: number;
}

/** Passes the chunks on; throws `RequestTimeout` when they come too slowly, `IncompleteBody` when the body breaks off. */
export async function* withTimeouts(body: ReadableStream<Chunk>, timeouts: Timeouts): AsyncGenerator<Chunk> {
  const reader = body.getReader();
  let waiting = false;
  let late: string | undefined;
  // Cancelling ends the read that waits. A race against the timer would keep every chunk of it in memory.
  const giveUp = (message: string) => {
    late = message;
    reader.cancel().catch(() => undefined);
  };
  const stall = setTimeout(() => waiting && giveUp(`No bytes came for ${timeouts.stall / 1000} s`), timeouts.stall);
  const whole = setTimeout(() => giveUp(`The upload took ${timeouts.whole / 3_600_000} hours`), timeouts.whole);
  try {
    for (;;) {
      waiting = true;
      stall.refresh();
      const { done, value } = await reader.read().catch(brokenOff);
      waiting = false;
      if (late) throw new UploadError("RequestTimeout", `${late}; send the file again`);
      if (done) return;
      yield value;
    }
  } finally {
    clearTimeout(stall);
    clearTimeout(whole);
    // Not awaited: cancelling a body that stalls may never end.
    reader.cancel().catch(() => undefined);
  }
}

function brokenOff(cause: unknown): never {
  throw new UploadError("IncompleteBody", "The body broke off; send the file again", {}, { cause });
}

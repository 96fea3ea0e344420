import { clientNetwork } from "../../http/client-address";
import { env } from "../../process/env";
import { uploadHours } from "../ledger";
import { receiveFile } from "../receive";
import { checkPermit, readPermit } from "./permit";
import { withTimeouts } from "./timeouts";
import { uploadEndpoint } from "./upload-endpoint";
import { parseContentLength, parseContentType, parseDigests } from "./upload-headers";

/** `POST /api/storage/upload?token=…`: the raw body becomes a file (SPEC §3). */
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

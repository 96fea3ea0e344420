import { openS3Server } from "../s3-server/s3-server";
import { type S3Store, startS3 } from "../stand-ins/s3";

/** The stand-in, or in `npm run test:s3` a server: both pass the same tests. */
export async function openS3(): Promise<S3Store> {
  if (process.env.S3_SERVER) return openS3Server();
  // A failure of the stand-in is one that the test wants. A server may fail because of a race (Ceph does when two
  // completions run at once), so there the SDK retries.
  process.env.AWS_MAX_ATTEMPTS = "1";
  return startS3();
}

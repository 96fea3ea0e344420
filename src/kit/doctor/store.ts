import { createHash, randomUUID } from "node:crypto";
import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { prisma } from "../database/database";
import { DatabaseUnavailable } from "../database/errors";
import { env } from "../process/env";
import { limits } from "../process/limits";
import { blobs, readDriverEnv } from "../storage/blobs";
import type { Chunk, DirectUploads } from "../storage/drivers/driver";
import { StorageFullError } from "../storage/drivers/driver";
import { removeFromList } from "../storage/ownership";
import { refusedBy } from "../storage/unreachable-store";
import { type Finding, look, ok, problem, reasonOf, unknown, warning } from "./finding";
import { type Bucket, corsOf, examinePermissions, explainS3 } from "./s3";

const bytes: Chunk = new TextEncoder().encode("A blob that the doctor writes, reads and deletes.");
const sha256 = createHash("sha256").update(bytes).digest("hex");

const settingsOfStore = () => readDriverEnv(process.env);
type Settings = ReturnType<typeof settingsOfStore>;

/**
 * Looks at the blob store: writes a blob, reads it, asks for a part of it, and deletes it.
 *
 * @param origin of the pages that send files straight to the store
 */
export async function examineStore(origin: string): Promise<Finding[]> {
  const settings = settingsOfStore();
  const bucket = bucketOf(settings);
  const advice = { silent: silentAdvice(settings), explain: (error: unknown) => explain(error, settings) };
  const see = (name: string, work: Parameters<typeof look>[1]) => look(`Store: ${name}`, work, advice);
  const [reached, space] = await Promise.all([
    see("connection", async () => {
      await blobs.check();
      return ok(`The store (${settings.STORAGE_DRIVER}) answers.`);
    }),
    see("space", examineSpace),
  ]);
  if (reached.state === "problem") return [reached, space];

  const key = randomUUID();
  const found = [reached, space];
  const written = await see("write", () => write(key));
  found.push(written);
  if (written.state === "unknown") return found;
  if (written.state === "ok") found.push(await see("read", () => read(key)), await see("range", () => readRange(key)));
  if (bucket) found.push(await see("permissions", () => examinePermissions(bucket, randomUUID())));
  if (blobs.direct?.begin && written.state === "ok") {
    found.push(...(await examineDirect(blobs.direct, origin, see, bucket)));
  }
  found.push(
    await see("delete", async () => {
      await blobs.delete(key);
      if (await blobs.head(key)) return problem("A blob that was deleted is still there.");
      await removeFromList(prisma, [key]);
      return ok("A blob can be deleted.");
    }),
  );
  return found;
}

/** Lists the blob before its first byte, so that garbage collection deletes it if this process dies. */
async function write(key: string) {
  const deleteAfter = new Date(Date.now() + 3_600_000);
  await prisma.unownedBlob.create({ data: { blobKey: key, deleteAfter } });
  await blobs.put(key, new Blob([bytes]).stream(), "text/plain", bytes.byteLength);
  return ok("A blob can be written.");
}

async function read(key: string) {
  const body = await blobs.get(key);
  const text = body && (await new Response(body).text());
  if (text === new TextDecoder().decode(bytes)) return ok("A blob is read as it was written.");
  return problem(
    text === null ? "A blob that was written is not there." : "A blob is read with other bytes than were written.",
  );
}

async function readRange(key: string) {
  const body = await blobs.get(key, { start: 2, end: 5 });
  if (body && (await new Response(body).text()) === "blob") return ok("A part of a blob can be read.");
  return problem("The store does not answer with a part of a blob.", "Use a store that supports the header Range.");
}

type See = (name: string, work: Parameters<typeof look>[1]) => Promise<Finding>;

/** Checks that browsers can send files straight to the store. It signs a request for this, but does not send it. */
async function examineDirect(
  direct: DirectUploads,
  origin: string,
  see: See,
  bucket: Bucket | null,
): Promise<Finding[]> {
  const key = randomUUID();
  let verifies: boolean | undefined;
  const cors = await see("CORS", async () => {
    const file = { size: bytes.byteLength, contentType: "text/plain", sha256 };
    const uploadId = await direct.begin?.(key, file);
    verifies = uploadId === undefined;
    const [part] = await direct.sign(key, { ...file, uploadId }, [1], new Date(Date.now() + 60_000));
    const refused = part && (await refusedBy(part, origin));
    if (!refused) return unknown("The store could not be asked.");
    if (refused.length === 0) return ok(`Pages of ${origin} may send files straight to the store.`);
    return problem(
      `The CORS rules of the store refuse ${refused.join(", ")}, so large files of browsers go through the app.`,
      bucket
        ? corsOf(bucket, origin)
        : "Connect the Vercel Blob store to the project again. Its CORS rules are not a setting.",
    );
  });
  const checksums = await see("checksums", () =>
    verifies === undefined
      ? unknown("The store did not say whether it verifies a SHA-256.")
      : ok(
          verifies
            ? "The store verifies a SHA-256. Files of known SHA-256 are sent in one request."
            : "The store verifies no SHA-256. Files are sent in parts, and read once to be verified.",
        ),
  );
  // This also aborts an upload in parts.
  await blobs.delete(key).catch(() => undefined);
  return [cors, checksums];
}

async function examineSpace() {
  const space = await blobs.space?.();
  const gibibytes = (size: number) => `${(size / 1024 ** 3).toFixed(1)} GiB`;
  if (!space) {
    // The folder for temporary files holds parts of uploads on their way to the store.
    const { bavail, bsize } = await statfs(tmpdir());
    const free = bavail * bsize;
    const said = `${tmpdir()} has ${gibibytes(free)} free for parts of uploads, which may take ${gibibytes(limits.partFileBytes)}.`;
    if (free >= limits.partFileBytes) return ok(said);
    return warning(said, "Free space there, or set TMPDIR to a folder on a larger disk.");
  }
  const reserve = space.total * limits.diskReserve;
  const said = `${gibibytes(space.free)} of ${gibibytes(space.total)} are free at ${env.STORAGE_DISK_PATH}`;
  const fix = `Free space on the disk of ${env.STORAGE_DISK_PATH}, or move the files to a larger one. ${limits.diskReserve * 100} % stay free.`;
  if (space.free < reserve) return problem(`${said}. Uploads are refused with status 507.`, fix);
  if (space.free < 2 * reserve) return warning(`${said}. Soon uploads will be refused.`, fix);
  return ok(`${said}.`);
}

function bucketOf(settings: Settings): Bucket | null {
  if (settings.STORAGE_DRIVER !== "s3") return null;
  return { bucket: settings.S3_BUCKET, region: settings.S3_REGION, endpoint: settings.S3_ENDPOINT };
}

function silentAdvice(settings: Settings): string {
  switch (settings.STORAGE_DRIVER) {
    case "s3":
      return `Allow this machine to reach ${settings.S3_ENDPOINT ?? `s3.${settings.S3_REGION}.amazonaws.com`}, or correct S3_ENDPOINT.`;
    case "disk":
      return `The disk of ${env.STORAGE_DISK_PATH} hangs. Mount it again if it is a network file system.`;
    case "vercel-blob":
      return "Allow this machine to reach vercel.com and blob.vercel-storage.com.";
  }
}

/** Explains a failure of the store, and what to do about it. */
function explain(error: unknown, settings: Settings) {
  if (error instanceof DatabaseUnavailable) {
    return unknown("Nothing was written, because the database does not answer, which lists what is written.");
  }
  const bucket = bucketOf(settings);
  if (bucket) return explainS3(error, bucket);
  const reason = `${reasonOf(error)}.`;
  if (settings.STORAGE_DRIVER === "vercel-blob") {
    return problem(
      reason,
      "Connect the store to the project again: npx vercel env pull writes its token to .env.local",
    );
  }
  const path = env.STORAGE_DISK_PATH;
  if (error instanceof StorageFullError)
    return problem(reason, `Free space on the disk of ${path}, or set STORAGE_DISK_PATH.`);
  return problem(
    reason,
    `Let the user of the process write there, on a disk that is not read-only:\nchown -R ${process.getuid?.() ?? "<user>"} ${path}\n` +
      `mount -o remount,rw "$(df --output=target ${path} | tail -1)"`,
  );
}

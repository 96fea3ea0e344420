import type { Readable } from "node:stream";
import { Busboy, type BusboyInstance } from "@fastify/busboy";
import { TRPCError } from "@trpc/server";
import { z } from "zod";
import type { Id } from "../database/ids";
import { parseArgs } from "../functions/args";
import { decodeUtf8 } from "../http/body";
import { quote } from "../log/text";
import { limits } from "../process/limits";
import type { Chunk } from "./drivers/driver";
import { newStorageId } from "./file";
import { canonicalType } from "./headers";
import type { Storer } from "./quota";
import { commitReceived, discard, type Received, receiveBytes } from "./receive";
import { type UploadLimits, uploadLimits } from "./tokens";
import { checkType } from "./upload";
import { UploadError } from "./upload-error";

/** What a form may send in one of its file fields. */
export interface FormFileLimits extends UploadLimits {
  /** How many files the field takes. Default: 1. */
  max?: number;
}

export interface ReceiveOptions {
  /**
   * Called with the text fields before the first file is stored. It refuses the form by throwing. Put the fields that it needs
   * before the files in the form.
   */
  checkFields?: (fields: URLSearchParams) => unknown;
}

/** A file of a form, which is stored. */
export interface FormFile {
  storageId: Id<"_storage">;
  /** The name that it had on the sender's device. */
  name: string;
  /** Bytes. */
  size: number;
  /** The type that the browser derived from the name; `null` when it sent none. */
  contentType: string | null;
}

export interface ReceivedForm<Name extends string> {
  /** The text fields: `fields.get("author")`, and `fields.getAll("tag")` for a name that occurs several times. */
  fields: URLSearchParams;
  /** The files of each field, in the order of the form. */
  files: Record<Name, FormFile[]>;
}

const fileField = uploadLimits.extend({ max: z.int().positive().default(1) });

/** `ctx.storage.receive`: see `StorageActionWriter`. */
export async function receiveForm<Name extends string>(
  request: Request,
  fileLimits: Record<Name, FormFileLimits>,
  { checkFields }: ReceiveOptions,
  storer: Storer,
): Promise<ReceivedForm<Name>> {
  const allowed = new Map(
    Object.entries<FormFileLimits>(fileLimits).map(([field, limit]) => [field, parseArgs(fileField, limit)]),
  );
  const fields = new URLSearchParams();
  const received: (Received & { field: string; name: string })[] = [];
  let checked: number | undefined;

  /** Calls `checkFields` before the first file, and at the end when there are more fields than it has seen. */
  async function check() {
    if (checked === fields.size) return;
    checked = fields.size;
    await checkFields?.(fields);
  }

  async function takeFile(field: string, body: Readable & AsyncIterable<Chunk>, name: string, type: string) {
    // A file field that was left empty sends a file without a name.
    if (name === "") return void body.resume();
    const limit = allowed.get(field);
    if (!limit) throw badForm(`The form has no files in a field ${quote(field)}.`);
    const count = received.filter((file) => file.field === field).length;
    if (count >= limit.max) throw badForm(`The field ${quote(field)} takes at most ${limit.max} files.`);
    const contentType = canonicalType(type);
    checkType(limit, contentType);
    await check();
    const reserved = received.reduce((sum, { size }) => sum + size, 0);
    const incoming = { storageId: newStorageId(), body, contentType, maxSize: limit.maxSize, reserved };
    // No upload URL has this id.
    received.push({ field, name, ...(await receiveBytes({ ...incoming, usedUntil: Date.now(), ...storer })) });
  }

  try {
    await parseForm(request, (name, value) => fields.append(name, value), takeFile);
    await check();
  } catch (error) {
    for (const { blobKey } of received) await discard(blobKey);
    throw error;
  }
  if (received.length > 0) await commitReceived(received);
  const filesOf = (wanted: string): FormFile[] =>
    received.flatMap(({ field, storageId, name, size, contentType }) =>
      field === wanted ? [{ storageId, name, size, contentType }] : [],
    );
  const names = Object.keys(fileLimits) as Name[];
  return { fields, files: Object.fromEntries(names.map((name) => [name, filesOf(name)])) as Record<Name, FormFile[]> };
}

/** Bytes of a field's name and headers, and of a file's name. */
const maxHeaderBytes = 16 * 1024;
const maxNameLength = 255;
/** Text fields of a form, and parts of it altogether. */
const maxFields = 1_000;
const maxParts = 1_100;

/**
 * Parses a form while it arrives. Files are taken one after the other, and the form is read no faster than they are. When it
 * rejects, no call of `takeFile` is running.
 */
async function parseForm(
  { headers, body }: Request,
  takeField: (name: string, value: string) => void,
  takeFile: (field: string, body: Readable & AsyncIterable<Chunk>, name: string, type: string) => Promise<void>,
): Promise<void> {
  const parser = createParser(headers.get("content-type") ?? "");
  if (!body) throw badForm("The request has no body. Send a form.");
  const reader = body.getReader();
  const open = new Set<Readable>();
  let failure: { error: unknown } | undefined;
  let proceed: () => void = () => undefined;
  let files = Promise.resolve();
  let fieldBytes = 0;
  let fields = 0;

  function fail(error: unknown) {
    failure ??= { error };
    reader.cancel().catch(() => undefined);
    for (const file of open) file.destroy(failure.error instanceof Error ? failure.error : undefined);
    proceed();
  }

  async function takeText(name: string, body: AsyncIterable<Chunk>) {
    fieldBytes += Buffer.byteLength(name);
    fields += 1;
    const chunks: Chunk[] = [];
    for await (const chunk of body) {
      fieldBytes += chunk.byteLength;
      if (fieldBytes > limits.jsonBytes) break;
      chunks.push(chunk);
    }
    if (fieldBytes > limits.jsonBytes || fields > maxFields) throw tooManyFields();
    takeField(name, decodeUtf8(Buffer.concat(chunks), `The field ${quote(name)}`));
  }

  // The parser would replace bytes of a text that are not UTF-8, so it gets texts as files.
  parser.on("file", (field = "", file, name, _, type) => {
    open.add(file);
    // The error reaches the loop that reads the file.
    file.on("error", () => undefined);
    files = files.then(async () => {
      if (failure) return;
      try {
        if (name === undefined) await takeText(field, file);
        else await takeFile(field, file, name.slice(0, maxNameLength), type);
        open.delete(file);
      } catch (error) {
        fail(error);
      }
    });
  });
  parser.on("partsLimit", () => fail(tooManyFields()));
  parser.on("error", (cause) => fail(badForm("The form ends in the middle. Send it again.", cause)));

  /** Waits until the parser calls back, or until the form is refused. */
  const step = (run: (done: () => void) => void) =>
    new Promise<void>((done) => {
      proceed = done;
      run(done);
    });
  while (!failure) {
    const chunk = await reader.read().catch((error) => fail(error instanceof TRPCError ? error : brokenOff(error)));
    if (!chunk || failure) break;
    if (chunk.done) {
      await step((done) => parser.once("finish", done).end());
      break;
    }
    await step((done) => parser.write(chunk.value, () => done()));
  }
  await files;
  if (failure) throw failure.error;
}

function createParser(contentType: string): BusboyInstance {
  if (!/^multipart\/form-data[ \t]*;/i.test(contentType)) {
    throw badForm(`The body is ${contentType ? quote(contentType) : "of no type"}, not multipart/form-data.`);
  }
  try {
    return new Busboy({
      headers: { "content-type": contentType },
      isPartAFile: () => true,
      limits: { parts: maxParts, headerPairs: 20, headerSize: maxHeaderBytes },
    });
  } catch (cause) {
    throw badForm("The form's Content-Type has no boundary.", cause);
  }
}

const badForm = (message: string, cause?: unknown) => new TRPCError({ code: "BAD_REQUEST", message, cause });

const tooManyFields = () =>
  new TRPCError({ code: "PAYLOAD_TOO_LARGE", message: "The form has too many fields, or too much text in them." });

const brokenOff = (cause: unknown) =>
  new UploadError("IncompleteBody", "The form broke off. Send it again.", {}, { cause });

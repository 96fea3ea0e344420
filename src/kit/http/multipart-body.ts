import { randomUUID } from "node:crypto";

/**
 * A field of a form, in the order of the arguments of `FormData.append`: its name, a text or a file, and the file's name.
 */
export type FormPart = readonly [name: string, value: string] | readonly [name: string, value: Blob, fileName?: string];

/** What `fetch` needs to send a form. */
export interface MultipartBody {
  body: ReadableStream<Uint8Array>;
  headers: { "Content-Type": string; "Content-Length": string };
  duplex: "half";
  /**
   * A body that is read once cannot be sent again after a redirect. If redirects were followed, `fetch` of Node.js would
   * keep all of the body in memory.
   */
  redirect: "error";
}

/**
 * Makes the body of a `multipart/form-data` request for `fetch`. Its length is announced, and its bytes are read while they are
 * sent, so that a file of any size goes to another service in constant memory, from every blob store:
 *
 *     const file = await ctx.storage.get(storageId);
 *     const form = multipartBody([["purpose", "transcription"], ["file", file, "talk.mp4"]]);
 *     await fetch("https://api.example.com/files", { method: "POST", ...form, signal: ctx.signal });
 *
 * A body is sent once, so a redirect fails. `fetch` also rejects when the file is deleted meanwhile.
 */
export function multipartBody(parts: Iterable<FormPart>): MultipartBody {
  const boundary = `form-${randomUUID()}`;
  const pieces: (Uint8Array | Blob)[] = [];
  const encode = (text: string) => new TextEncoder().encode(text);
  for (const [name, value, fileName] of parts) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(name)}"`;
    if (typeof value === "string") {
      pieces.push(encode(`${head}\r\n\r\n${value.replace(/\r\n|\r|\n/g, "\r\n")}\r\n`));
      continue;
    }
    const file = fileName ?? (value instanceof File ? value.name : "blob");
    const type = value.type || "application/octet-stream";
    pieces.push(encode(`${head}; filename="${escaped(file)}"\r\nContent-Type: ${type}\r\n\r\n`), value, encode("\r\n"));
  }
  pieces.push(encode(`--${boundary}--\r\n`));
  const length = pieces.reduce((sum, piece) => sum + (piece instanceof Blob ? piece.size : piece.byteLength), 0);
  const bytes = bytesOf(pieces);
  return {
    body: new ReadableStream({
      async pull(controller) {
        const { done, value } = await bytes.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => void (await bytes.return(undefined)),
    }),
    headers: { "Content-Type": `multipart/form-data; boundary=${boundary}`, "Content-Length": String(length) },
    duplex: "half",
    redirect: "error",
  };
}

async function* bytesOf(pieces: (Uint8Array | Blob)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Blob) yield* piece.stream();
    else yield piece;
  }
}

/** Browsers escape the names of fields and files in the same way. */
const escaped = (name: string) => name.replace(/["\r\n]/g, encodeURIComponent);

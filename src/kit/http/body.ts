import { TRPCError } from "@trpc/server";
import { shorten } from "../log/text";
import { limits } from "../process/limits";
import { takeArrivedBody } from "./node-adapter";

/**
 * Reads a request's body as JSON, up to a size that is parsed at once:
 *
 *     const event = parseArgs(z.object({ id: z.string() }), await readJson(request));
 *
 * @param maxBytes default: 256 KiB
 * @param maxValues default: 10,000. Many short lists take far longer to parse than a few long texts of the same size
 * @throws TRPCError `BAD_REQUEST` when the body is not JSON in UTF-8, has too many values or is nested too deep, `PAYLOAD_TOO_LARGE` for
 * too many bytes
 */
export async function readJson(
  request: Request,
  maxBytes = limits.jsonBytes,
  maxValues = limits.argumentValues,
): Promise<unknown> {
  return parse(await readJsonText(request, maxBytes, maxValues));
}

/**
 * Parses a text as JSON, where the text itself is needed too, for example to verify its signature. Otherwise use `readJson`.
 *
 *     const event = parseArgs(z.object({ id: z.string() }), parseJson(text));
 *
 * @param maxValues default: 10,000
 * @throws TRPCError `BAD_REQUEST` when it is not JSON, has too many values or is nested too deep
 */
export function parseJson(text: string, maxValues = limits.argumentValues): unknown {
  checkJson(Buffer.from(text), maxValues);
  return parse(text);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? shorten(cause.message, 200) : "";
    throw new TRPCError({ code: "BAD_REQUEST", message: `Cannot parse the body as JSON: ${reason}`, cause });
  }
}

/** Making one takes longer than decoding a short text. */
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Decodes UTF-8, and refuses other bytes. By default a decoder replaces them, and the app would store another text than was
 * sent.
 *
 * @param what the bytes are, for the message
 * @throws TRPCError `BAD_REQUEST`
 */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw notUtf8(what, cause);
  }
}

const notUtf8 = (what: string, cause: unknown) =>
  new TRPCError({ code: "BAD_REQUEST", message: `${what} is not UTF-8. Encode it as UTF-8.`, cause });

/**
 * Refuses a URL whose query has percent-encoded bytes that are not UTF-8, because `URLSearchParams` replaces them.
 * @throws TRPCError `BAD_REQUEST`
 */
export function checkQuery({ search }: URL): void {
  if (!/%[89a-f]/i.test(search)) return;
  try {
    // As in `URLSearchParams`, a % that begins no byte stands for itself.
    decodeURIComponent(search.replace(/%(?![\da-f]{2})/gi, "%25"));
  } catch (cause) {
    throw notUtf8("The URL's query", cause);
  }
}

/**
 * Reads the text of a request's body and checks that it is safe to parse as JSON.
 * @throws TRPCError `BAD_REQUEST` for too many values, too deep ones, an incomplete body or one that is not UTF-8,
 * `PAYLOAD_TOO_LARGE` for too many bytes
 */
export async function readJsonText(request: Request, maxBytes: number, maxValues: number): Promise<string> {
  const bytes = await readBytes(request, maxBytes);
  checkJson(bytes, maxValues);
  return decodeUtf8(bytes, "The body");
}

/** Reads the body itself: for a short one, the streams of `limitBody` would take longer than all else. */
async function readBytes(request: Request, limit: number): Promise<Uint8Array> {
  const { tooLarge, problemAtEnd } = boundsOf(request, limit);
  const arrived = takeArrivedBody(request);
  if (arrived && arrived.byteLength > limit) throw tooLarge();
  if (arrived) return arrived;
  if (!request.body) return new Uint8Array();
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(refuseBroken);
      if (done) break;
      size += value.byteLength;
      if (size > limit) throw tooLarge();
      chunks.push(value);
    }
  } catch (error) {
    reader.cancel().catch(() => undefined);
    throw error;
  }
  const problem = problemAtEnd(size);
  if (problem) throw problem;
  return Buffer.concat(chunks);
}

function refuseBroken(cause: unknown): never {
  throw new TRPCError({ code: "BAD_REQUEST", message: "The request's body broke off. Send it again.", cause });
}

const [quote, backslash, comma, bracket, brace, endBracket, endBrace] = [0x22, 0x5c, 0x2c, 0x5b, 0x7b, 0x5d, 0x7d];

/**
 * Refuses a JSON text with too many values, which take long to parse, and one that is nested too deep, because code that walks
 * through it would overflow the stack. Every value but the first follows a comma or an opening bracket.
 */
function checkJson(json: Uint8Array, maxValues: number): void {
  const refuse = (problem: string) => {
    throw new TRPCError({ code: "BAD_REQUEST", message: `The body's JSON ${problem}.` });
  };
  let count = 1;
  let depth = 0;
  let isInText = false;
  for (let index = 0; index < json.length; index++) {
    const byte = json[index];
    if (byte === quote) isInText = !isInText;
    else if (isInText) index += byte === backslash ? 1 : 0;
    else if (byte === comma) count++;
    else if (byte === endBracket || byte === endBrace) depth--;
    else if (byte === bracket || byte === brace) {
      count++;
      depth++;
      if (depth > limits.jsonDepth) refuse(`is nested more than ${limits.jsonDepth} deep`);
    }
  }
  if (count > maxValues) refuse(`has more than ${maxValues} values`);
}

/**
 * Returns the request with a limited body. Reading it throws `PAYLOAD_TOO_LARGE` after `limit` bytes, and `BAD_REQUEST` when it
 * breaks off, or ends before `Content-Length`, because a proxy may cut a body and pass on the rest as if it were whole.
 * @throws TRPCError `PAYLOAD_TOO_LARGE` at once when `Content-Length` is over the limit
 */
export function limitBody(request: Request, limit: number): Request {
  const { tooLarge, problemAtEnd } = boundsOf(request, limit);
  if (!request.body) return request;
  const reader = request.body.getReader();
  let received = 0;
  let reading: Promise<unknown> = Promise.resolve();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const read = reader.read().catch(refuseBroken);
        reading = read.catch(() => undefined);
        const { done, value } = await read;
        received += value?.byteLength ?? 0;
        const problem = done ? problemAtEnd(received) : received > limit ? tooLarge() : null;
        if (problem) {
          reader.cancel().catch(() => undefined);
          throw problem;
        }
        if (done) controller.close();
        else controller.enqueue(value);
      },
      // The stream that Next.js passes on throws outside of every promise when it is cancelled while it is read.
      cancel: () => void reading.then(() => reader.cancel()).catch(() => undefined),
    },
    { highWaterMark: 0 },
  );
  const init: RequestInit & { duplex: "half" } = { body, duplex: "half" };
  return new Request(request, init);
}

function boundsOf(request: Request, limit: number) {
  const tooLarge = () =>
    new TRPCError({
      code: "PAYLOAD_TOO_LARGE",
      message: `The request's body is larger than ${limit} bytes. Send files of any size to upload URLs.`,
    });
  const announced = request.headers.get("content-length");
  if (Number(announced) > limit) throw tooLarge();
  const problemAtEnd = (received: number) => {
    if (announced === null || received >= Number(announced)) return null;
    const message = `Only ${received} of ${announced} bytes of the request's body arrived. Send it again.`;
    return new TRPCError({ code: "BAD_REQUEST", message });
  };
  return { tooLarge, problemAtEnd };
}

/** Returns the response with a body that breaks off after `limit` bytes. Throws when `Content-Length` is over the limit. */
export function limitResponse(response: Response, limit: number): Response {
  const tooLarge = () =>
    new Error(`The response's body is larger than ${limit} bytes. Raise the route's maxResponseSize.`);
  if (Number(response.headers.get("content-length")) > limit) throw tooLarge();
  if (!response.body) return response;
  return new Response(response.body.pipeThrough(counting(limit, tooLarge)), response);
}

function counting(limit: number, tooLarge: () => Error): TransformStream<Uint8Array, Uint8Array> {
  let passed = 0;
  return new TransformStream({
    transform(chunk, controller) {
      passed += chunk.byteLength;
      if (passed <= limit) controller.enqueue(chunk);
      else controller.error(tooLarge());
    },
  });
}

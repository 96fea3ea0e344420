import { TRPCError } from "@trpc/server";
import { shorten } from "../log/text";
import { limits } from "../process/limits";

/**
 * The JSON of a request's body, of a size that takes no time to parse:
 *
 *     const event = parseArgs(z.object({ id: z.string() }), await readJson(request));
 *
 * @param maxBytes 256 KiB by default
 * @param maxValues 10,000 by default: a text of small lists takes far longer to parse than one of long texts
 * @throws TRPCError `BAD_REQUEST` for what is not JSON or has too many values, `PAYLOAD_TOO_LARGE` for too many bytes
 */
export async function readJson(
  request: Request,
  maxBytes = limits.jsonBytes,
  maxValues = limits.argumentValues,
): Promise<unknown> {
  const text = await readJsonText(request, maxBytes, maxValues);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? shorten(cause.message, 200) : "";
    throw new TRPCError({ code: "BAD_REQUEST", message: `Cannot parse the body as JSON: ${reason}`, cause });
  }
}

/**
 * The text of a request's body, which is safe to parse as JSON.
 * @throws TRPCError `BAD_REQUEST` for too many values and for a body that breaks off, `PAYLOAD_TOO_LARGE` for too many bytes
 */
export async function readJsonText(request: Request, maxBytes: number, maxValues: number): Promise<string> {
  const bytes = new Uint8Array(await limitBody(request, maxBytes).arrayBuffer().catch(refuseBroken));
  if (countValues(bytes) > maxValues) {
    throw new TRPCError({ code: "BAD_REQUEST", message: `The body's JSON has more than ${maxValues} values` });
  }
  return new TextDecoder().decode(bytes);
}

function refuseBroken(cause: unknown): never {
  if (cause instanceof TRPCError) throw cause;
  throw new TRPCError({ code: "BAD_REQUEST", message: "The request's body broke off; send it again", cause });
}

const [quote, backslash, comma, bracket, brace] = [0x22, 0x5c, 0x2c, 0x5b, 0x7b];

/** How many values a JSON text can have, at most: each has a comma or an opening bracket before it, but for the first. */
function countValues(json: Uint8Array): number {
  let count = 1;
  let isInText = false;
  for (let index = 0; index < json.length; index++) {
    const byte = json[index];
    if (byte === quote) isInText = !isInText;
    else if (isInText) index += byte === backslash ? 1 : 0;
    else if (byte === comma || byte === bracket || byte === brace) count++;
  }
  return count;
}

/**
 * The request, whose body throws `PAYLOAD_TOO_LARGE` once more than `limit` bytes of it are read, and `BAD_REQUEST` when it
 * ends before all that was announced has come: something in between may cut it off and pass it on as whole.
 * @throws TRPCError `PAYLOAD_TOO_LARGE` at once where the request announces more
 */
export function limitBody(request: Request, limit: number): Request {
  const tooLarge = () =>
    new TRPCError({
      code: "PAYLOAD_TOO_LARGE",
      message: `The request's body is larger than ${limit} bytes. Send files of any size to upload URLs.`,
    });
  const announced = request.headers.get("content-length");
  if (Number(announced) > limit) throw tooLarge();
  if (!request.body) return request;
  const isCut = (received: number) => announced !== null && received < Number(announced);
  const cut = (received: number) =>
    new TRPCError({
      code: "BAD_REQUEST",
      message: `Only ${received} of ${announced} bytes of the request's body arrived; send it again`,
    });
  const init: RequestInit & { duplex: "half" } = {
    body: request.body.pipeThrough(counting(limit, tooLarge, (received) => (isCut(received) ? cut(received) : null))),
    duplex: "half",
  };
  return new Request(request, init);
}

/** The response, whose body breaks off once it is larger than `limit` bytes. Throws when that is known beforehand. */
export function limitResponse(response: Response, limit: number): Response {
  const tooLarge = () =>
    new Error(`The response's body is larger than ${limit} bytes; raise the route's maxResponseSize`);
  if (Number(response.headers.get("content-length")) > limit) throw tooLarge();
  if (!response.body) return response;
  return new Response(response.body.pipeThrough(counting(limit, tooLarge)), response);
}

function counting(
  limit: number,
  tooLarge: () => Error,
  problemAtEnd: (passed: number) => Error | null = () => null,
): TransformStream<Uint8Array, Uint8Array> {
  let passed = 0;
  return new TransformStream({
    transform(chunk, controller) {
      passed += chunk.byteLength;
      if (passed <= limit) controller.enqueue(chunk);
      else controller.error(tooLarge());
    },
    flush(controller) {
      const problem = problemAtEnd(passed);
      if (problem) controller.error(problem);
    },
  });
}

import { TRPCError } from "@trpc/server";
import { limits } from "../limits";
import { shorten } from "../quote";
import { limitBody } from "./limit-body";

/**
 * The JSON of a request's body, of a size that takes no time to parse:
 *
 *     const event = parseArgs(z.object({ id: z.string() }), await readJson(request));
 *
 * @param maxBytes 256 KiB by default; parsing 1 MiB can take 20 ms of the whole process
 * @throws TRPCError `BAD_REQUEST` for what is not JSON, `PAYLOAD_TOO_LARGE` for too much of it
 */
export async function readJson(request: Request, maxBytes = limits.jsonBytes): Promise<unknown> {
  try {
    return await limitBody(request, maxBytes).json();
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new TRPCError({
      code: "BAD_REQUEST",
      message: `Cannot parse the body as JSON: ${shorten(cause.message, 200)}`,
      cause,
    });
  }
}

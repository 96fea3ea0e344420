import { type AnyTRPCRouter, callTRPCProcedure, TRPCError } from "@trpc/server";
import { parseJson, readJsonText } from "../http/body";
import { errorResponse } from "../http/error-response";
import { withRequestId } from "../log/scope";
import { quote } from "../log/text";
import { limits } from "../process/limits";
import { decodeArguments } from "./args";
import { createRequestContext, refuseWrongSender } from "./request-context";
import { definition, functionNamed, isPublic } from "./server-function";

/** The path below which functions are called with plain JSON. */
export const plainJsonPath = "/api/run/";

/**
 * Serves the functions of `router` to clients that do not speak tRPC: `POST /api/run/messages/list` has the arguments as its
 * body, and is answered with the result, or with `{ code, message, requestId }`. Identity, limits and log are those of
 * `serveRouter`.
 */
export function servePlainJson(router: AnyTRPCRouter) {
  return withRequestId(async (request) => {
    const context = createRequestContext(request);
    const name = nameIn(new URL(request.url).pathname);
    const response = await answer().catch((error) => errorResponse(error, name, context.requestId));
    response.headers.set("Cache-Control", "private, no-store");
    if (request.method !== "POST") response.headers.set("Allow", "POST");
    return response;

    async function answer(): Promise<Response> {
      if (request.method !== "POST") {
        const message = `Cannot ${request.method} a function; POST its arguments`;
        throw new TRPCError({ code: "METHOD_NOT_SUPPORTED", message });
      }
      await refuseWrongSender(request, context);
      const fn = functionNamed(name);
      if (!fn || !isPublic(fn)) {
        throw new TRPCError({ code: "NOT_FOUND", message: `There is no function ${quote(name)}` });
      }
      const result: unknown = await callTRPCProcedure({
        router,
        path: name,
        type: fn[definition].kind === "query" ? "query" : "mutation",
        ctx: context,
        getRawInput: async () => decodeArguments({ json: await readArguments(request) }),
        signal: request.signal,
        batchIndex: 0,
      });
      return new Response(toPlainJson(result), { headers: { "Content-Type": "application/json" } });
    }
  });
}

/** `/api/run/messages/list` and `/api/run/messages:list` → `messages.list` */
const nameIn = (path: string): string => path.slice(plainJsonPath.length).replace(/[/:]|%3A/i, ".");

async function readArguments(request: Request): Promise<unknown> {
  const text = await readJsonText(request, limits.jsonBytes, limits.argumentValues);
  return text === "" ? {} : parseJson(text);
}

/** The JSON of a result. Dates are ISO texts, bytes base64, sets and maps arrays; what is undefined is left out, or `null`. */
const toPlainJson = (result: unknown): string =>
  JSON.stringify(result ?? null, function (this: Record<string, unknown>, key, value) {
    // By now a Buffer has converted itself to an object, so this reads the original value.
    const given = this[key];
    if (given instanceof Uint8Array) return Buffer.from(given).toString("base64");
    return given instanceof Map || given instanceof Set ? [...given] : value;
  });

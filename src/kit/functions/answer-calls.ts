import { type AnyTRPCRouter, getTRPCErrorFromUnknown, getTRPCErrorShape, type TRPCError } from "@trpc/server";
import { bytesResponse } from "../http/node-adapter";
import { limits } from "../process/limits";
import { decodeArguments } from "./args";
import { t } from "./builders";
import type { RequestContext } from "./request-context";
import { transformer } from "./transformer";

interface Calls {
  router: AnyTRPCRouter;
  request: Request;
  context: RequestContext;
  /** The name of a procedure, or several with commas in between. */
  path: string;
  /** Returns the status and the headers of the response, if its errors ask for others than the usual ones. */
  metaOf: (errors: TRPCError[], paths: string[]) => { status?: number; headers: Record<string, string> };
  onError: (error: TRPCError, path: string) => void;
}

const encoder = new TextEncoder();

/**
 * Answers calls of queries or mutations whose arguments are JSON, in the format of tRPC. tRPC's own handler takes longer
 * than most functions, because it supports streams, too. Returns `null`, without calling anything, for any other request,
 * including one that must be refused.
 */
export async function answerCalls({
  router,
  request,
  context,
  path,
  metaOf,
  onError,
}: Calls): Promise<Response | null> {
  const { method, headers } = request;
  const { searchParams } = new URL(request.url);
  const isBatch = searchParams.get("batch") === "1";
  const paths = isBatch ? path.split(",") : [path];
  const type = method === "GET" ? "query" : "mutation";
  const procedures = paths.map((name) => procedureNamed(router, name));
  if (paths.length > limits.batchCalls || procedures.some((procedure) => procedure?._def.type !== type)) return null;
  const wantsStream = headers.has("trpc-accept") || headers.get("accept")?.includes("application/jsonl");
  if (wantsStream || searchParams.has("connectionParams")) return null;
  if (method === "GET" ? headers.has("content-type") : !isJson(headers)) return null;
  let inputs: unknown;
  try {
    inputs = method === "GET" ? JSON.parse(searchParams.get("input") || "{}") : await request.json();
  } catch {
    return null;
  }
  if (isBatch && (typeof inputs !== "object" || inputs === null)) return null;
  const inputOf = (index: number): unknown => (isBatch ? Reflect.get(Object(inputs), String(index)) : inputs);

  const errors: TRPCError[] = [];
  const answers = await Promise.all(
    paths.map(async (path, batchIndex) => {
      let input: unknown;
      const getRawInput = async () => {
        input ??= decodeArguments(inputOf(batchIndex));
        return input;
      };
      try {
        const call = { path, getRawInput, ctx: context, type, signal: context.signal, batchIndex } as const;
        return { status: 200, body: { result: { data: transformer.serialize(await procedures[batchIndex]?.(call)) } } };
      } catch (cause) {
        const error = getTRPCErrorFromUnknown(cause);
        errors.push(error);
        onError(error, path);
        const shape = getTRPCErrorShape({ config: t._config, error, type, path, input, ctx: context });
        return { status: shape.data.httpStatus, body: { error: transformer.serialize(shape) } };
      }
    }),
  );
  const statuses = new Set(answers.map(({ status }) => status));
  const [status = 200] = statuses.size === 1 ? statuses : [207];
  const meta = metaOf(errors, paths);
  const bodies = answers.map(({ body }) => body);
  return bytesResponse(encoder.encode(JSON.stringify(isBatch ? bodies : bodies[0])), {
    status: meta.status ?? status,
    headers: { "Content-Type": "application/json", Vary: "trpc-accept, accept", ...meta.headers },
  });
}

const procedureNamed = ({ _def }: AnyTRPCRouter, name: string) =>
  Object.hasOwn(_def.procedures, name) ? _def.procedures[name] : undefined;

const isJson = (headers: Headers) => /^application\/json\s*(;|$)/i.test(headers.get("content-type") ?? "");

import { randomUUID } from "node:crypto";
import { TRPCError } from "@trpc/server";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import { z } from "zod";
import { identityOf } from "../auth/identity";
import { prisma } from "../database/database";
import { t } from "../functions/builders";
import { run } from "../functions/context";
import type { RequestContext } from "../functions/request-context";
import {
  type AnyFunction,
  allFunctions,
  definition,
  functionNamed,
  isPublic,
  type Kind,
} from "../functions/server-function";
import type { HttpRouter } from "../http/http-router";
import { answerRoute } from "../http/serve-http";
import { observe } from "../log/observe";
import { quote } from "../log/text";
import { adminProcedure, liveProcedure } from "./admin-procedure";

/** A function as the dashboard lists it. */
interface ListedFunction {
  /** For example `messages.list`, and for an HTTP action `GET /getImage` or `GET /files/*`. */
  name: string;
  kind: Kind | "httpAction";
  /** Whether clients cannot call it. */
  isInternal: boolean;
  /** The JSON Schema of its arguments; `null` for an HTTP action, which takes a request. */
  args: z.core.JSONSchema.BaseSchema | null;
}

const anyJson = z.record(z.string(), z.unknown());

export const functions = (http: HttpRouter) =>
  t.router({
    list: liveProcedure().query(() => listFunctions(http)),

    /** Runs a function, public or internal, as a user, or without an identity when `userId` is `null`. */
    run: adminProcedure
      .input(z.object({ name: z.string(), args: anyJson.default({}), userId: z.string().nullable() }))
      .mutation(({ ctx, input: { name, args, userId } }) => runFunction(ctx, { name, args, userId })),

    /** Sends a request to an HTTP action. */
    request: adminProcedure
      .input(
        z.object({
          method: z.string(),
          /** Below `/http`, with its query string. */
          path: z.string().startsWith("/"),
          contentType: z
            .string()
            .regex(
              /^[\t\x20-\x7e]*$/,
              "The content type is a header, which has only ASCII characters and no line breaks",
            )
            .default(""),
          body: z.string().default(""),
          userId: z.string().nullable(),
        }),
      )
      .mutation(({ ctx, input }) => runHttpAction(ctx, http, input)),
  });

/** The app's functions, its HTTP actions, and the kit's functions. */
export function listFunctions(http: HttpRouter): ListedFunction[] {
  const own = [...allFunctions()].map(listed);
  const isKit = ({ name }: ListedFunction) => name.startsWith("_");
  return [...own.filter((fn) => !isKit(fn)), ...http.getRoutes().map(listedRoute), ...own.filter(isKit)];
}

const listed = ([name, fn]: [string, AnyFunction]): ListedFunction => ({
  name,
  kind: fn[definition].kind,
  isInternal: !isPublic(fn),
  args: z.toJSONSchema(fn[definition].args, { io: "input", unrepresentable: "any" }),
});

const listedRoute = ({ method, path, pathPrefix }: ReturnType<HttpRouter["getRoutes"]>[number]): ListedFunction => ({
  name: `${method} ${path ?? `${pathPrefix}*`}`,
  kind: "httpAction",
  isInternal: false,
  args: null,
});

/** The outcome of a run. */
export interface Run {
  requestId: string;
  milliseconds: number;
  outcome: { result: unknown } | { error: { code: string; message: string } };
}

interface Call {
  name: string;
  args: Record<string, unknown>;
  userId: string | null;
}

/** Runs a function as a user. Throws `NOT_FOUND` for an unknown function or user. What the function throws is an outcome. */
export async function runFunction(admin: RequestContext, { name, args, userId }: Call): Promise<Run> {
  const fn = functionNamed(name);
  if (!fn) throw new TRPCError({ code: "NOT_FOUND", message: `There is no function ${quote(name)}` });
  const context = await contextAs(admin, userId);
  return timed(admin, context, () => run(context, fn, args));
}

interface HttpCall {
  method: string;
  path: string;
  contentType: string;
  body: string;
  userId: string | null;
}

/** How many bytes of a response are shown. */
const shownBytes = 64 * 1024;

/** Sends a request to an HTTP action as a user. The result has the status, the headers, and the body as text. */
async function runHttpAction(admin: RequestContext, http: HttpRouter, given: HttpCall): Promise<Run> {
  const { method, path, contentType, body, userId } = given;
  const url = new URL(`/http${path}`, admin.origin);
  const found = http.lookup(url.pathname.slice("/http".length), method);
  if (!found || !("route" in found)) {
    throw new TRPCError({ code: "NOT_FOUND", message: `There is no route ${method} ${quote(path)}` });
  }
  const context = await contextAs(admin, userId);
  return timed(admin, context, async () => {
    const sent = new Headers(contentType ? { "Content-Type": contentType } : {});
    const request = new Request(url, { method, headers: sent, body: method === "GET" || !body ? null : body });
    const response = await answerRoute(found.route, request, context);
    const headers = Object.fromEntries(response.headers);
    return { status: response.status, headers, body: await startOf(response) };
  });
}

/** The first bytes of a response as text. The rest may be endless. */
async function startOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= shownBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, shownBytes).toString();
}

/**
 * Records the run in the function log with the administrator and the user. Calls within the run have the user's identity.
 */
async function timed(admin: RequestContext, context: RequestContext, run: () => Promise<unknown>): Promise<Run> {
  const [by, as] = await Promise.all([admin.identity(), context.identity()]);
  const { requestId } = context;
  const recorded = () =>
    observe({ requestId, name: "_kit.runAs", kind: "action" }, () => {
      const runner = by ? `administrator ${by.subject}` : "the command line";
      console.info(`Run by ${runner} as ${as ? as.subject : "nobody"}`);
      return run();
    });
  const started = performance.now();
  const outcome = await recorded().then(
    (result) => ({ result }),
    (error) => ({ error: explained(error) }),
  );
  return { requestId: context.requestId, milliseconds: performance.now() - started, outcome };
}

/** The full error: administrators may see it. */
function explained(error: unknown) {
  if (error instanceof TRPCError)
    return { code: `${error.code} (${getHTTPStatusCodeFromError(error)})`, message: error.message };
  return { code: "INTERNAL_SERVER_ERROR (500)", message: error instanceof Error ? String(error.stack) : String(error) };
}

async function contextAs(admin: RequestContext, userId: string | null): Promise<RequestContext> {
  const user = userId === null ? null : await prisma.user.findUnique({ where: { id: userId } });
  if (userId !== null && !user) {
    throw new TRPCError({ code: "NOT_FOUND", message: `There is no user ${quote(userId)}` });
  }
  const identity = user && identityOf(user);
  return { ...admin, requestId: randomUUID(), reads: new Map(), depth: 0, identity: async () => identity };
}

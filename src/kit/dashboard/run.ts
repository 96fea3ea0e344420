import { randomUUID } from "node:crypto";
import { TRPCError } from "@trpc/server";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import { identityOf } from "../auth/identity";
import { prisma } from "../database/database";
import type { Caller } from "../functions/caller";
import { runAction, runMutation, runQuery } from "../functions/context";
import { functionNamed } from "../functions/registry";
import { type AnyFunction, definition, type ServerFunction } from "../functions/server-function";
import type { HttpRouter } from "../http/http-router";
import { answerRoute } from "../http/serve-http";
import { observe } from "../log/observe";
import { quote } from "../log/text";

/** What came of a run. */
export interface Run {
  requestId: string;
  /** That it took. */
  milliseconds: number;
  outcome: { result: unknown } | { error: { code: string; message: string } };
}

interface Call {
  name: string;
  args: Record<string, unknown>;
  userId: string | null;
}

/** Runs a function as another caller. Throws `NOT_FOUND` for an unknown function or user; what it throws is an outcome. */
export async function runFunction(admin: Caller, { name, args, userId }: Call): Promise<Run> {
  const fn = functionNamed(name);
  if (!fn) throw new TRPCError({ code: "NOT_FOUND", message: `There is no function ${quote(name)}` });
  const caller = await callerAs(admin, userId);
  return timed(admin, caller, () => call(caller, fn, args));
}

interface HttpCall {
  method: string;
  path: string;
  contentType: string;
  body: string;
  userId: string | null;
}

/** Bytes of an answer that are shown. */
const shownBytes = 64 * 1024;

/** Has an HTTP action answer a request, as another caller. The result says status, headers, and the body as text. */
export async function runHttpAction(admin: Caller, http: HttpRouter, given: HttpCall): Promise<Run> {
  const { method, path, contentType, body, userId } = given;
  const url = new URL(`/http${path}`, admin.origin);
  const found = http.lookup(url.pathname.slice("/http".length), method);
  if (!found || !("route" in found)) {
    throw new TRPCError({ code: "NOT_FOUND", message: `There is no route ${method} ${quote(path)}` });
  }
  const caller = await callerAs(admin, userId);
  return timed(admin, caller, async () => {
    const sent = new Headers(contentType ? { "Content-Type": contentType } : {});
    const request = new Request(url, { method, headers: sent, body: method === "GET" || !body ? null : body });
    const response = await answerRoute(found.route, request, caller);
    const headers = Object.fromEntries(response.headers);
    return { status: response.status, headers, body: await startOf(response) };
  });
}

/** The first bytes of an answer as text. What follows may be endless. */
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

/** Runs it, and has the log say which administrator ran it, and as whom: the calls in it are the other's. */
async function timed(admin: Caller, caller: Caller, run: () => Promise<unknown>): Promise<Run> {
  const [by, as] = await Promise.all([admin.identity(), caller.identity()]);
  const { requestId } = caller;
  const recorded = () =>
    observe({ requestId, name: "_kit.runAs", kind: "action" }, () => {
      console.info(`Run by administrator ${by?.subject} as ${as ? as.subject : "nobody"}`);
      return run();
    });
  const started = performance.now();
  const outcome = await recorded().then(
    (result) => ({ result }),
    (error) => ({ error: explained(error) }),
  );
  return { requestId: caller.requestId, milliseconds: performance.now() - started, outcome };
}

/** Whoever is an administrator may know what went wrong in full. */
function explained(error: unknown) {
  if (error instanceof TRPCError)
    return { code: `${error.code} (${getHTTPStatusCodeFromError(error)})`, message: error.message };
  return { code: "INTERNAL_SERVER_ERROR (500)", message: error instanceof Error ? String(error.stack) : String(error) };
}

async function callerAs(admin: Caller, userId: string | null): Promise<Caller> {
  const user = userId === null ? null : await prisma.user.findUnique({ where: { id: userId } });
  if (userId !== null && !user) {
    throw new TRPCError({ code: "NOT_FOUND", message: `There is no user ${quote(userId)}` });
  }
  const identity = user && identityOf(user);
  return { ...admin, requestId: randomUUID(), reads: new Map(), depth: 0, identity: async () => identity };
}

function call(caller: Caller, fn: AnyFunction, args: unknown): Promise<unknown> {
  switch (fn[definition].kind) {
    case "query":
      return runQuery(caller)(fn as ServerFunction<"query", unknown, unknown>, args);
    case "mutation":
      return runMutation(caller)(fn as ServerFunction<"mutation", unknown, unknown>, args);
    case "action":
      return runAction(caller)(fn as ServerFunction<"action", unknown, unknown>, args);
  }
}

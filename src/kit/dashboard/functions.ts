import { z } from "zod";
import { prisma } from "../database/database";
import { allFunctions } from "../functions/registry";
import { type AnyFunction, definition, type Kind } from "../functions/server-function";
import { t } from "../functions/trpc";
import type { HttpRouter } from "../http/http-router";
import { adminProcedure, liveProcedure } from "./admin-procedure";
import { runFunction, runHttpAction } from "./run";

/** A function as the dashboard lists it. */
interface ListedFunction {
  /** As `messages.list`; of an HTTP action `GET /getImage`, its prefix with `*`. */
  name: string;
  kind: Kind | "httpAction";
  /** Not reached from outside. */
  isInternal: boolean;
  /** The shape of its arguments as a JSON Schema; `null` of an HTTP action, which takes a request. */
  args: z.core.JSONSchema.BaseSchema | null;
}

const anyJson = z.record(z.string(), z.unknown());

export const functions = (http: HttpRouter) =>
  t.router({
    list: liveProcedure().query(() => {
      const own = [...allFunctions()].map(listed);
      const isKit = ({ name }: ListedFunction) => name.startsWith("_");
      return [...own.filter((fn) => !isKit(fn)), ...http.getRoutes().map(listedRoute), ...own.filter(isKit)];
    }),

    /** People to run a function as, by the beginning of their email address. */
    users: liveProcedure("_users")
      .input(z.object({ search: z.string().max(255).default("") }))
      .query(({ input }) =>
        prisma.user.findMany({
          // Prisma leaves it to us to quote what LIKE reads as wildcards.
          where: { email: { startsWith: input.search.toLowerCase().replace(/[\\%_]/g, "\\$&") } },
          select: { id: true, name: true, email: true, isAnonymous: true },
          orderBy: { email: "asc" },
          take: 20,
        }),
      ),

    /** Runs a function, an internal one too, as a user, or as nobody when `userId` is `null`. */
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
          contentType: z.string().default(""),
          body: z.string().default(""),
          userId: z.string().nullable(),
        }),
      )
      .mutation(({ ctx, input }) => runHttpAction(ctx, http, input)),
  });

const listed = ([name, fn]: [string, AnyFunction]): ListedFunction => ({
  name,
  kind: fn[definition].kind,
  // Public functions are procedures too.
  isInternal: !("_def" in fn),
  args: z.toJSONSchema(fn[definition].args, { io: "input", unrepresentable: "any" }),
});

const listedRoute = ({ method, path, pathPrefix }: ReturnType<HttpRouter["getRoutes"]>[number]): ListedFunction => ({
  name: `${method} ${path ?? `${pathPrefix}*`}`,
  kind: "httpAction",
  isInternal: false,
  args: null,
});

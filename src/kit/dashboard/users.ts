import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { deleteBelongings, deleteLeftovers } from "../auth/delete-account";
import { tokenIdentifier } from "../auth/issuers";
import { pools, prisma } from "../database/database";
import { sqlState } from "../database/errors";
import { toPage } from "../database/pagination";
import { t } from "../functions/builders";
import type { RequestContext } from "../functions/request-context";
import { observe } from "../log/observe";
import { quote } from "../log/text";
import { env } from "../process/env";
import { adminProcedure, foreignKeyViolations, liveProcedure } from "./admin-procedure";

interface User {
  id: string;
  name: string;
  email: string;
  emailVerified: boolean;
  isAdmin: boolean;
  isAnonymous: boolean;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

const columns = `"_id" AS id, "name", "email", "emailVerified", "isAdmin", "isAnonymous" IS TRUE AS "isAnonymous",
  round(extract(epoch FROM "createdAt") * 1000)::float8 AS "createdAt"`;

const listArgs = z.object({
  kind: z.enum(["accounts", "visitors"]).default("accounts"),
  /** The beginning of an email address, or an id. */
  search: z.string().max(255).default(""),
  limit: z.int().min(1).max(100).default(50),
  cursor: z.string().max(300).nullish(),
});

/** Files are counted exactly up to this number. */
const countedFiles = 10_000;

const userId = z.string().max(255);

export const users = t.router({
  /** A page of users, newest first. With `search`, the users that it finds, by address. */
  list: liveProcedure("_users")
    .input(listArgs)
    .query(({ input }) => (input.search === "" ? listUsers(input) : findUsers(input))),

  /** A user, their signed-in devices, and how much they store; `null` when there is no such user. */
  get: liveProcedure("_users", "_storage")
    .input(z.object({ userId }))
    .query(async ({ input: { userId } }) => {
      const [user] = await pools.functions.sql<User>(`SELECT ${columns} FROM "_users" WHERE "_id" = $1`, [userId]);
      if (!user) return null;
      const [sessions, accounts, stored] = await Promise.all([
        prisma.session.findMany({
          where: { userId, expiresAt: { gt: new Date() } },
          select: { id: true, userAgent: true, createdAt: true, updatedAt: true },
          orderBy: { updatedAt: "desc" },
          take: 50,
        }),
        prisma.account.findMany({ where: { userId }, select: { providerId: true } }),
        pools.functions.sql<{ files: number; bytes: number }>(
          `SELECT count(*)::int AS files, coalesce(sum("size"), 0)::float8 AS bytes
           FROM (SELECT "size" FROM "_storage" WHERE "owner" = $1 LIMIT ${countedFiles}) AS owned`,
          [tokenIdentifier(userId)],
        ),
      ]);
      return {
        ...user,
        owner: tokenIdentifier(userId),
        /** `credential` is a password. */
        providers: accounts.map(({ providerId }) => providerId),
        sessions,
        stored: { files: 0, bytes: 0, ...stored[0], isAll: (stored[0]?.files ?? 0) < countedFiles },
      };
    }),

  /** Makes an account an administrator, or takes that role away. Administrators cannot take it from themselves. */
  setAdmin: adminProcedure
    .input(z.object({ userId, isAdmin: z.boolean() }))
    .mutation(({ ctx, input: { userId, isAdmin } }) =>
      recorded(
        ctx,
        "setAdmin",
        isAdmin ? "an administrator now" : "no administrator any more",
        userId,
        async (user) => {
          if (user.isAnonymous) throw refusal("A visitor without an account cannot be an administrator");
          if (isAdmin && env.SMTP_URL !== undefined && !user.emailVerified) {
            throw refusal(`${quote(user.email)} is not confirmed, and anyone may have registered it. Confirm it first`);
          }
          await prisma.user.update({ where: { id: userId }, data: { isAdmin } });
        },
      ),
    ),

  /** Ends one session of a user, or all of them. Returns how many. */
  signOut: adminProcedure
    .input(z.object({ userId, sessionId: z.string().max(255).optional() }))
    .mutation(async ({ input: { userId, sessionId } }) => {
      const where = { userId, ...(sessionId !== undefined && { id: sessionId }) };
      return (await prisma.session.deleteMany({ where })).count;
    }),

  /** Permanently deletes a user with the user's rows and files. An administrator must lose that role first. */
  delete: adminProcedure.input(z.object({ userId })).mutation(({ ctx, input: { userId } }) =>
    recorded(ctx, "delete", "deleted", userId, async (user) => {
      if (user.isAdmin) throw refusal("An administrator cannot be deleted. Take that role away first");
      try {
        await deleteBelongings(user);
        await prisma.user.delete({ where: { id: userId } });
        await deleteLeftovers(user);
      } catch (cause) {
        if (!foreignKeyViolations.includes(sqlState(cause) ?? "")) throw cause;
        throw refusal(
          "The user was not deleted, because rows of others must refer to the user or to one of their files",
        );
      }
    }),
  ),
});

const refusal = (message: string) => new TRPCError({ code: "CONFLICT", message });

/** Does something to another user, and records it in the function log with both names. */
async function recorded(
  { identity, requestId }: RequestContext,
  what: string,
  said: string,
  userId: string,
  act: (user: User) => Promise<void>,
): Promise<void> {
  const [user] = await pools.functions.sql<User>(`SELECT ${columns} FROM "_users" WHERE "_id" = $1`, [userId]);
  if (!user) throw new TRPCError({ code: "NOT_FOUND", message: `There is no user ${quote(userId)}` });
  const admin = (await identity())?.subject;
  if (admin === userId) throw refusal("You cannot do this to your own account. Ask another administrator.");
  await observe({ requestId, name: `_kit.users.${what}`, kind: "mutation" }, async () => {
    await act(user);
    console.info(`User ${userId} is ${said}, by administrator ${admin}`);
  });
}

/**
 * Uses the index `_users_newest`. It is on a number, because PostgreSQL rewrites comparisons of booleans and then misses the
 * index. `ORDER BY` names the table: without it, `"createdAt"` is the number that is selected, and all users are sorted.
 */
async function listUsers({ kind, limit, cursor }: z.output<typeof listArgs>) {
  const [, time, id] = /^(\d{1,15})_(.+)$/s.exec(cursor ?? "") ?? [];
  if (cursor && id === undefined) {
    throw new TRPCError({
      code: "BAD_REQUEST",
      message: `Invalid cursor ${quote(cursor)}. Pass the nextCursor of a page.`,
    });
  }
  const after = id === undefined ? "true" : `("createdAt", "_id") < (to_timestamp($2::float8 / 1000), $3)`;
  const found = await pools.functions.sql<User>(
    `SELECT ${columns} FROM "_users" WHERE ("isAnonymous" IS TRUE)::int = $1 AND ${after}
     ORDER BY "_users"."createdAt" DESC, "_users"."_id" DESC LIMIT ${limit + 1}`,
    [Number(kind === "visitors"), ...(id === undefined ? [] : [Number(time), id])],
  );
  return toPage(found, limit, ({ createdAt, id }) => `${createdAt}_${id}`);
}

/** Uses the index `_users_lower_email`. */
async function findUsers({ search, limit }: z.output<typeof listArgs>) {
  const found = await pools.functions.sql<User>(
    `SELECT ${columns} FROM "_users" WHERE "_id" = $1
     UNION ALL
     (SELECT ${columns} FROM "_users" WHERE lower("email") LIKE $2 AND "_id" <> $1 ORDER BY lower("email") USING ~<~ LIMIT ${limit})`,
    [search, `${search.toLowerCase().replace(/[\\%_]/g, "\\$&")}%`],
  );
  return { page: found.slice(0, limit), nextCursor: null };
}

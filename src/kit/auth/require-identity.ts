import { TRPCError } from "@trpc/server";
import type { UserIdentity } from "./identity";

/** `ctx.auth`. */
export interface Auth {
  /** Who calls: by session cookie or Bearer token, `null` when the request says neither. Throws for an invalid token. */
  getUserIdentity(): Promise<UserIdentity | null>;
}

/** Narrows a builder to callers with an identity: `const userMutation = mutation.use(requireIdentity)`. */
export async function requireIdentity(ctx: { auth: Auth }): Promise<{ identity: UserIdentity }> {
  const identity = await ctx.auth.getUserIdentity();
  if (!identity)
    throw new TRPCError({ code: "UNAUTHORIZED", message: "Sign in first; a visitor can do so without an account" });
  return { identity };
}

import { TRPCClientError } from "@trpc/client";
import { AuthError } from "./auth-client";

/** What a person can do about a failed call of a server function, in one sentence or two. */
export function explainError(error: unknown): string {
  if (error instanceof AuthError) return error.message;
  // What `fetch` rejects with.
  if (error instanceof TypeError) return unreachable;
  if (!(error instanceof TRPCClientError)) return "Something went wrong. Try again.";
  if (error.cause instanceof AuthError) return error.cause.message;
  if (!error.data) return unreachable;
  if (error.data.httpStatus >= 500) return "Something went wrong on the server. Try again.";
  return error.message;
}

const unreachable = "The server cannot be reached. Check your network, then try again.";

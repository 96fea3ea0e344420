import { TRPCClientError } from "@trpc/client";

/** What a person can do about a failed call of a server function, in one sentence or two. */
export function explainError(error: unknown): string {
  if (!(error instanceof TRPCClientError)) return "Something went wrong. Try again.";
  if (!error.data) return "The server cannot be reached. Check your network, then try again.";
  if (error.data.httpStatus >= 500) return "Something went wrong on the server. Try again.";
  return error.message;
}

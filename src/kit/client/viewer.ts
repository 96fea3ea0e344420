import { queryOptions, useQuery } from "@tanstack/react-query";
import { TRPCClientError } from "@trpc/client";
import { AuthError, authClient } from "./auth-client";

/** Who uses this browser, and has a session. */
export interface Viewer {
  /** The account's id, with which an operator makes the account an administrator. */
  id: string;
  name: string;
  /** `null` for a visitor without an account. */
  email: string | null;
  /** Whether to show the link to the dashboard. The server checks each of its calls. */
  isAdmin: boolean;
}

const queryKey = ["viewer"];

/**
 * Who is signed in; `null` for someone who has not done anything yet. The server's answer is in the page. The browser asks
 * again once per page load, which prolongs the session's cookie, and when the window is focused, because another tab may
 * have signed in or out.
 */
export const viewerQuery = queryOptions<Viewer | null>({
  queryKey,
  staleTime: 0,
  // `prefetchViewer` sets this time to 0.
  refetchOnMount: ({ state }) => state.dataUpdatedAt === 0,
  queryFn: async ({ client }): Promise<Viewer | null> => {
    const session = await authClient.getSession();
    if (!session) return null;
    const { id, name, email, isAnonymous } = session.user;
    // The session does not say it. The server has put it into the page.
    const known = client.getQueryData<Viewer | null>(queryKey);
    return { id, name, email: isAnonymous ? null : email, isAdmin: known?.id === id && known.isAdmin === true };
  },
});

export function useViewer(): Viewer | null {
  return useQuery(viewerQuery).data ?? null;
}

/** Says in one or two sentences what a person can do about a failed call of a server function. */
export function explainError(error: unknown): string {
  if (error instanceof AuthError) return error.message;
  // `fetch` rejects with this error when there is no answer.
  if (error instanceof TypeError) return unreachable;
  if (!(error instanceof TRPCClientError)) return "Something went wrong. Try again.";
  if (error.cause instanceof AuthError) return error.cause.message;
  if (!error.data) return unreachable;
  if (error.data.httpStatus >= 500) return "Something went wrong on the server. Try again.";
  return error.message;
}

/** How long the server asks to wait before a function is called again, in milliseconds; `null` if it does not. */
export function retryAfterOf(error: unknown): number | null {
  if (!(error instanceof TRPCClientError) || error.data?.httpStatus !== 429) return null;
  const { response } = error.meta ?? {};
  const seconds = response instanceof Response ? Number(response.headers.get("Retry-After")) : 0;
  return seconds > 0 ? 1000 * seconds : null;
}

const unreachable = "The server cannot be reached. Check your network, then try again.";

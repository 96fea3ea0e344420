import { queryOptions, useQuery } from "@tanstack/react-query";
import { AuthError, authClient } from "./auth-client";

/** Who uses this browser, and has a session. */
export interface Viewer {
  /** The account's id, by which an operator makes it an administrator's. */
  id: string;
  name: string;
  /** `null` for a visitor without an account. */
  email: string | null;
}

/**
 * Who is signed in; `null` for someone who has not done anything yet. The server's answer is in the page. The browser asks
 * again once per page load, which prolongs the session's cookie, and when the window is focused, because another tab may
 * have signed in or out.
 */
export const viewerQuery = queryOptions({
  queryKey: ["viewer"],
  staleTime: 0,
  // 0 is what `prefetchViewer` says.
  refetchOnMount: ({ state }) => state.dataUpdatedAt === 0,
  queryFn: async (): Promise<Viewer | null> => {
    const { data, error } = await authClient.getSession();
    if (error) throw new AuthError(error);
    return data && { id: data.user.id, name: data.user.name, email: data.user.isAnonymous ? null : data.user.email };
  },
});

export function useViewer(): Viewer | null {
  return useQuery(viewerQuery).data ?? null;
}

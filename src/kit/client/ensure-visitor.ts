import type { QueryClient } from "@tanstack/react-query";
import { AuthError, authClient } from "./auth-client";
import { refresh } from "./refresh";
import { type Viewer, viewerQuery } from "./viewer";

let joining: Promise<void> | null = null;

/**
 * Gives whoever has no session that of a visitor, so that what they are about to make is theirs. Done before the first
 * mutation rather than on arrival: those who only read leave no trace in the database.
 */
export function ensureVisitor(queryClient: QueryClient): Promise<void> {
  joining ??= join(queryClient).finally(() => {
    joining = null;
  });
  return joining;
}

async function join(queryClient: QueryClient): Promise<void> {
  if (queryClient.getQueryData(viewerQuery.queryKey)) return;
  // Another tab may have done it meanwhile.
  if (await queryClient.fetchQuery({ ...viewerQuery, retry: false })) return;
  const { data, error } = await authClient.signIn.anonymous();
  if (error) throw new AuthError(error);
  const visitor: Viewer = { id: data.user.id, name: data.user.name, email: null };
  queryClient.setQueryData(viewerQuery.queryKey, visitor);
  // What was refused without an identity may be answered with one.
  refresh(queryClient, (_path, { state }) => state.status === "error");
}

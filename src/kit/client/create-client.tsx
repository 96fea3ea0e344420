"use client";

import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createTRPCClient, httpBatchLink, httpSubscriptionLink, splitLink } from "@trpc/client";
import type { AnyTRPCRouter } from "@trpc/server";
import { createTRPCContext } from "@trpc/tanstack-react-query";
import { type ReactNode, useEffect, useRef, useState } from "react";
import type { KitRouter } from "../functions/router";
import { transformer } from "../functions/transformer";
import { createLiveQueries, LiveQueries, type LiveTransport, noteReads, refresh } from "./live-queries";
import { makeQueryClient } from "./query-client";
import { anySignal } from "./upload";
import { AuthError, authClient, type Viewer, viewerQuery } from "./viewer";

const url = "/api/trpc";
/** Milliseconds for the answer to a query; over a connection that is dead it never comes. */
const patience = 30_000;

const withTimeout = (signal?: AbortSignal | null) => anySignal(AbortSignal.timeout(patience), signal);

/** One for all: the kit's own pages call through the app's provider. */
const { TRPCProvider, useTRPC, useTRPCClient } = createTRPCContext<AnyTRPCRouter>();

/**
 * The hooks by which components call the functions of an app, once, in src/components/api.ts:
 *
 *     export const { ApiProvider, useTRPC, useTRPCClient } = createClient<AppRouter>();
 *
 * `useTRPC()` makes options for TanStack Query's hooks, `useTRPCClient()` calls a function directly.
 */
export function createClient<Router extends AnyTRPCRouter>() {
  type Hooks = Pick<ReturnType<typeof createTRPCContext<Router>>, "useTRPC" | "useTRPCClient">;
  // The same hooks, of a router that only types know.
  return { ApiProvider, ...({ useTRPC, useTRPCClient } as unknown as Hooks) };
}

/** Lets every component below call the server functions. What queries show is up to date without asking again. */
function ApiProvider({ transport, children }: { transport?: LiveTransport; children: ReactNode }) {
  const [queryClient] = useState(makeQueryClient);
  // Made below, of the client whose calls it is to hear of.
  const live = useRef<ReturnType<typeof createLiveQueries> | null>(null);
  const [trpcClient] = useState(() =>
    createTRPCClient<KitRouter>({
      links: [
        noteReads,
        splitLink({
          condition: ({ type }) => type === "subscription",
          true: httpSubscriptionLink({ url, transformer }),
          false: httpBatchLink({
            url,
            transformer,
            maxItems: 10,
            maxURLLength: 2_000,
            async fetch(url, init) {
              // Mutations are POSTed. A query is asked again when its answer does not come.
              if (init?.method !== "POST") return fetch(url, { ...init, signal: withTimeout(init?.signal) });
              await ensureVisitor(queryClient);
              const response = await fetch(url, init);
              // Once whoever called has seen the answer.
              setTimeout(() => live.current?.changed());
              return response;
            },
          }),
        }),
      ],
    }),
  );
  const [liveQueries] = useState(() => createLiveQueries(queryClient, trpcClient, transport));
  useEffect(() => {
    live.current = liveQueries;
    return liveQueries.start();
  }, [liveQueries]);
  return (
    <QueryClientProvider client={queryClient}>
      <TRPCProvider trpcClient={trpcClient} queryClient={queryClient}>
        <LiveQueries value={liveQueries}>{children}</LiveQueries>
      </TRPCProvider>
    </QueryClientProvider>
  );
}

let joining: Promise<void> | null = null;

/**
 * Gives whoever has no session that of a visitor, so that what they are about to make is theirs. Done before the first
 * mutation rather than on arrival: those who only read leave no trace in the database.
 */
function ensureVisitor(queryClient: QueryClient): Promise<void> {
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

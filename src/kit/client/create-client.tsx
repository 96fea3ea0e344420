"use client";

import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createTRPCClient, httpBatchLink, httpSubscriptionLink, splitLink } from "@trpc/client";
import type { AnyTRPCRouter } from "@trpc/server";
import { createTRPCContext } from "@trpc/tanstack-react-query";
import { type ReactNode, useEffect, useRef, useState } from "react";
import type { KitRouter } from "../functions/router";
import { transformer } from "../functions/transformer";
import { anySignal } from "./any-signal";
import { authClient } from "./auth-client";
import { createLiveQueries, LiveQueries, type LiveTransport, noteReads, refresh } from "./live-queries";
import { makeQueryClient } from "./query-client";
import { type Viewer, viewerQuery } from "./viewer";

const url = "/api/trpc";
/** Over a connection that is dead the answer never comes. */
const queryTimeoutMs = 30_000;

const withTimeout = (signal?: AbortSignal | null) => anySignal(AbortSignal.timeout(queryTimeoutMs), signal);

// There is one React context, because the kit's own pages call functions through the app's provider.
const { TRPCProvider, useTRPC, useTRPCClient } = createTRPCContext<AnyTRPCRouter>();

/**
 * Creates the hooks with which components call the functions of an app. Call it once, in src/components/api.ts:
 *
 *     export const { ApiProvider, useTRPC, useTRPCClient } = createClient<AppRouter>();
 *
 * `useTRPC()` returns options for TanStack Query's hooks, and `useTRPCClient()` calls a function directly.
 */
export function createClient<Router extends AnyTRPCRouter>() {
  type Hooks = Pick<ReturnType<typeof createTRPCContext<Router>>, "useTRPC" | "useTRPCClient">;
  // The hooks are the same for every router. Only their types differ.
  return { ApiProvider, ...({ useTRPC, useTRPCClient } as unknown as Hooks) };
}

/** Lets every component below it call functions, and keeps their queries live. */
function ApiProvider({ transport, children }: { transport?: LiveTransport; children: ReactNode }) {
  const [queryClient] = useState(makeQueryClient);
  // This is created below, because it needs the client whose calls it observes.
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
              // Mutations are sent by POST. Queries are not, and are retried when their answer does not come.
              if (init?.method !== "POST") return fetch(url, { ...init, signal: withTimeout(init?.signal) });
              await ensureVisitor(queryClient);
              const response = await fetch(url, init);
              // After the caller has received the answer.
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
 * Creates a session for a visitor who has none, so that the rows which they are about to create belong to them. This happens
 * before the first mutation and not on arrival, so that people who only read leave no trace in the database.
 */
function ensureVisitor(queryClient: QueryClient): Promise<void> {
  joining ??= join(queryClient).finally(() => {
    joining = null;
  });
  return joining;
}

async function join(queryClient: QueryClient): Promise<void> {
  if (queryClient.getQueryData(viewerQuery.queryKey)) return;
  // Another tab may have created it meanwhile.
  if (await queryClient.fetchQuery({ ...viewerQuery, retry: false })) return;
  const { user } = await authClient.signIn.anonymous();
  const visitor: Viewer = { id: user.id, name: user.name, email: null, isAdmin: false };
  queryClient.setQueryData(viewerQuery.queryKey, visitor);
  // A query that was refused without an identity may succeed with one.
  refresh(queryClient, (_path, { state }) => state.status === "error");
}

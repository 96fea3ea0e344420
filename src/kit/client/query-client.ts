import { QueryClient } from "@tanstack/react-query";
import { TRPCClientError } from "@trpc/client";
import { transformer } from "../functions/transformer";

/** A cache for one browser tab, or for one request on the server. */
export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      dehydrate: { serializeData: (data) => transformer.serialize(data) },
      hydrate: { deserializeData: (data) => transformer.deserialize(data) },
      queries: {
        // Do not fetch again on arrival what the server prefetched.
        staleTime: 5_000,
        // The browser may be wrong about being offline: without a network, localhost still answers.
        networkMode: "always",
        retry: (failures, error) => typeof window !== "undefined" && failures < 3 && !isRefusal(error),
      },
      mutations: { networkMode: "always" },
    },
  });
}

/** Whether the server refused with a 4xx status, as it would again. */
function isRefusal(error: unknown): boolean {
  const status: unknown = error instanceof TRPCClientError ? error.data?.httpStatus : undefined;
  return typeof status === "number" && status < 500;
}

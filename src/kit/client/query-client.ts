import { QueryClient } from "@tanstack/react-query";
import { transformer } from "../functions/transformer";

/** A cache for one browser tab, or for one request on the server. */
export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      dehydrate: { serializeData: (data) => transformer.serialize(data) },
      hydrate: { deserializeData: (data) => transformer.deserialize(data) },
      queries: {
        // What the server prefetched is not fetched again on arrival.
        staleTime: 5_000,
        // Ask rather than trust the browser's guess: without a network, localhost still answers.
        networkMode: "always",
      },
      mutations: { networkMode: "always" },
    },
  });
}

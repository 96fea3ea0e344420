import type { AnyTRPCRouter } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { createCaller } from "./caller";
import { limitBody } from "./http/limit-body";

/** Bytes of one request: arguments are JSON, files go to upload URLs. */
const maxBody = 1024 * 1024;

/** Serves the functions of `router` at `/api/trpc`. */
export function serveRouter(router: AnyTRPCRouter) {
  return (request: Request): Promise<Response> => {
    const caller = createCaller(request.headers);
    return fetchRequestHandler({
      endpoint: "/api/trpc",
      req: limitBody(request, maxBody),
      router,
      createContext: () => caller,
      maxBatchSize: 50,
      onError({ error, path }) {
        if (error.code === "INTERNAL_SERVER_ERROR")
          console.error(`Request ${caller.requestId} to ${path} failed:`, error);
      },
    });
  };
}

import { register as start } from "~/kit/start";

const isDevelopment = process.env.NODE_ENV === "development";

/** Starts the kit's background work. In production it imports all functions, because jobs refer to them by name. */
export const register = () =>
  isDevelopment
    ? start()
    : start(async () => (await import("~/functions")).app, {
        functions: () => import("./pages/api/trpc/[trpc]"),
        uploads: () => import("./pages/api/storage/upload"),
        files: () => import("./pages/api/storage/[...path]"),
      });

import { register as start } from "~/kit/start";

const isDevelopment = process.env.NODE_ENV === "development";

/** Starts what the process does beside serving. The scheduler runs functions by their names, so that it needs all of them. */
export const register = () => start(isDevelopment ? undefined : async () => (await import("~/functions")).app);

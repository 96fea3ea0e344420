import { register as registerKit } from "~/kit/next";

/** Starts what the process does beside serving. The scheduler runs functions by their names, so that it needs all of them. */
export const register = () => registerKit(async () => (await import("~/functions")).app);

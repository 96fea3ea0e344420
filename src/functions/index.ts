import "./auth.config";
import { createRouter } from "~/server/router";
import * as files from "./files";
import * as images from "./images";
import * as messages from "./messages";

/** Every file of functions. What a file exports is served as `<file>.<export>`. */
export const router = createRouter({ messages, files, images });

export { default as crons } from "./crons";
export { default as http } from "./http";

export type AppRouter = typeof router;

import "./auth.config";
import { createRouter } from "~/server/router";
import crons from "./crons";
import * as files from "./files";
import http from "./http";
import * as images from "./images";
import * as messages from "./messages";
import owners from "./owners";

/** Every file of functions. What a file exports is served as `<file>.<export>`. */
export const router = createRouter({ messages, files, images }, { http, crons });

export { crons, http, owners };

export type AppRouter = typeof router;

import { kit } from "~/kit";
import crons from "./crons";
import * as email from "./email";
import * as files from "./files";
import http from "./http";
import * as images from "./images";
import * as messages from "./messages";
import * as shares from "./shares";

/** Lists every file of functions. What `files.ts` exports as `list` is served as `files.list`. */
export const app = kit.app({
  functions: { messages, files, images, shares, email },
  http,
  crons,
  // The texts of mail about accounts, and the function that sends it. Without it, passwords cannot be reset.
  email: { write: email.accountEmail, send: email.sendEmail },
});

export type AppRouter = typeof app.router;

import { kit } from "~/kit";
import crons from "./crons";
import * as email from "./email";
import * as files from "./files";
import http from "./http";
import * as messages from "./messages";

/** Every file of functions. What a file exports is served as `<file>.<export>`. */
export const app = kit.app({
  functions: { messages, files, email },
  http,
  crons,
  email: { write: email.accountEmail, send: email.sendEmail },
});

export type AppRouter = typeof app.router;

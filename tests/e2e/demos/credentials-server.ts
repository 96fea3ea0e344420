import { createServer } from "node:http";
import { cors, httpAction, httpRouter } from "~/kit/http/http-router";
import { toNodeHandler } from "~/kit/http/node-adapter";
import { serveHttp } from "~/kit/http/serve-http";

// An HTTP API with what none of the shipped routes has: one that takes the visitor's cookie from another origin.

const http = httpRouter();
const trusting = cors({ origins: [process.env.CLIENT_ORIGIN ?? ""], credentials: true });
const whoAmI = httpAction(async (ctx) => Response.json(await ctx.auth.getUserIdentity()));
http.route(trusting({ path: "/whoAmI", method: "POST", handler: whoAmI }));

createServer(toNodeHandler(serveHttp(http))).listen(process.env.PORT, () => console.log("Ready"));

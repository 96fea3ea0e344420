import { createServer } from "node:http";
import { httpRoute } from "~/kit/next";
import { cors, createKit, httpRouter } from "~/kit/server";

// An HTTP API with a route of a kind that the app does not have: it accepts the visitor's cookie from another origin.

const { CLIENT_ORIGIN = "", PORT } = process.env;
const { httpAction } = createKit();
const http = httpRouter();
const trusting = cors({ origins: [CLIENT_ORIGIN], credentials: true });
const whoAmI = httpAction(async (ctx) => Response.json(await ctx.auth.getUserIdentity()));
http.route(trusting({ path: "/whoAmI", method: "POST", handler: whoAmI }));

const route = httpRoute({ http });
const server = createServer(async (req, res) => {
  const headers = Object.entries(req.headers).map(([name, value]): [string, string] => [name, String(value)]);
  const answer = await route(new Request(`http://localhost:${PORT}${req.url}`, { method: req.method, headers }));
  res.writeHead(answer.status, [...answer.headers].flat()).end(await answer.text());
});
server.listen(PORT, () => console.log("Ready"));

import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { httpAction } from "~/kit";
import { cors, httpRouter, parseArgs, parseDigests, pathSuffix, readJson, storageId } from "~/kit/server";
import * as files from "./files";
import * as messages from "./messages";

/** The HTTP API, served below `/http`. */
const http = httpRouter();
export default http;

/** Pages of these origins may call it. */
const open = cors({
  origins: (process.env.CLIENT_ORIGIN ?? "").split(",").flatMap((origin) => origin.trim() || []),
  headers: ["Content-Type", "Digest"],
});

/** Actions that anyone may call, up to a rate limit. */
const limitedAction = httpAction.use(async (ctx) => {
  await ctx.limitRate("http");
  return {};
});

const sendImage = limitedAction(async (ctx, request) => {
  // Everything that can be refused is refused before a byte is stored.
  const { author } = parseArgs(z.object({ author: messages.author }), query(request));
  const contentType = request.headers.get("content-type") ?? "";
  if (!/^image\//i.test(contentType)) {
    throw new TRPCError({
      code: "BAD_REQUEST",
      message: `Only images can be sent, not ${contentType || "a file without a type"}`,
    });
  }
  if (!request.body)
    throw new TRPCError({ code: "BAD_REQUEST", message: "The request has no body; send the image as it" });
  const [sha256] = parseDigests(request.headers);

  const storageId = await ctx.storage.store(request.body, { contentType, sha256 });
  await ctx.runMutation(messages.sendImage, { storageId, author });
  return new Response();
});
http.route(open({ path: "/sendImage", method: "POST", handler: sendImage }));

const getImage = httpAction(async (ctx, request) => {
  const id = storageId().safeParse(query(request).storageId);
  const shown = id.success && (await ctx.runQuery(messages.isShown, { storageId: id.data }));
  return shown ? ctx.storage.serve(request, id.data) : imageNotFound();
});
http.route(open({ path: "/getImage", method: "GET", handler: getImage }));

/** Checks each time that the caller owns the image, by session or Bearer token. */
const getPrivateImage = httpAction(async (ctx, request) => {
  const identity = await ctx.auth.getUserIdentity();
  const id = storageId().safeParse(query(request).storageId);
  const owner = id.success && (await ctx.runQuery(files.ownerOf, { storageId: id.data }));
  if (!id.success || !owner || owner !== identity?.tokenIdentifier) return imageNotFound();
  return ctx.storage.serve(request, id.data, { cacheControl: "private, no-store" });
});
http.route(open({ path: "/getPrivateImage", method: "GET", handler: getPrivateImage }));

const postMessage = limitedAction(async (ctx, request) => {
  const message = parseArgs(z.object({ author: messages.author, body: z.string() }), await readJson(request));
  await ctx.runMutation(messages.sendOne, message);
  return new Response();
});
http.route(open({ path: "/postMessage", method: "POST", handler: postMessage }));

const getMessagesByAuthor = httpAction(async (ctx, request) => {
  const { author = "" } = query(request);
  return Response.json(await ctx.runQuery(messages.listByAuthor, { author }));
});
http.route(open({ path: "/getMessagesByAuthor", method: "GET", handler: getMessagesByAuthor }));

const authorMessages = "/getAuthorMessages/";
const getAuthorMessages = httpAction(async (ctx, request) => {
  const author = pathSuffix(request, authorMessages);
  return Response.json(await ctx.runQuery(messages.listByAuthor, { author }));
});
http.route(open({ pathPrefix: authorMessages, method: "GET", handler: getAuthorMessages }));

const imageNotFound = () => new Response("Image not found", { status: 404 });

const query = (request: Request) => Object.fromEntries(new URL(request.url).searchParams);

import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { httpAction } from "~/kit";
import { cors, httpRouter, parseArgs, parseDigests, pathSuffix, readJson, storageId } from "~/kit/server";
import { orDelete } from "./files";
import * as images from "./images";
import * as messages from "./messages";
import * as shares from "./shares";

/** The HTTP API, which is served under `/http`. */
const http = httpRouter();
export default http;

/** Opens a route to pages of the origins in `CLIENT_ORIGIN`. */
const open = cors({
  origins: (process.env.CLIENT_ORIGIN ?? "").split(",").flatMap((origin) => origin.trim() || []),
  headers: ["Content-Type", "Digest"],
});

/** An HTTP action that anyone may call, up to a rate limit. */
const limitedAction = httpAction.use(async (ctx) => {
  await ctx.limitRate("http");
  return {};
});

const sendImage = limitedAction(async (ctx, request) => {
  // Everything that can be refused is refused before a byte is stored.
  const { author } = parseArgs(z.object({ author: messages.author }), query(request));
  const contentType = request.headers.get("content-type") ?? "";
  messages.refuseUnshown(contentType);
  if (!request.body)
    throw new TRPCError({ code: "BAD_REQUEST", message: "The request has no body. Send the image as the body." });
  const [sha256] = parseDigests(request.headers);

  const storageId = await ctx.storage.store(request.body, { contentType, sha256 });
  await orDelete(ctx, [storageId], () => ctx.runMutation(messages.sendImage, { storageId, author }));
  return new Response();
});
http.route(open({ path: "/sendImage", method: "POST", handler: sendImage }));

/** Takes the form of the page /http-demo, which a browser sends without JavaScript, and returns to that page. */
const sendForm = limitedAction(async (ctx, request) => {
  const text = z.object({ author: messages.author, body: z.string().trim().max(1_000).default("") });
  const photo = {
    maxSize: 10 * 1024 * 1024,
    contentTypes: ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"],
    max: 3,
  };
  const parse = (fields: URLSearchParams) => parseArgs(text, Object.fromEntries(fields));
  const { fields, files } = await ctx.storage.receive(request, { photo }, { checkFields: parse });
  const storageIds = files.photo.map(({ storageId }) => storageId);
  await orDelete(ctx, storageIds, () => ctx.runMutation(messages.sendForm, { ...parse(fields), storageIds }));
  // With this status the browser asks for the page with GET, and reloading it does not send the form again.
  return new Response(null, { status: 303, headers: { Location: "/http-demo?sent" } });
});
http.route({ path: "/sendForm", method: "POST", handler: sendForm, maxRequestSize: 32 * 1024 * 1024 });

const getImage = httpAction(async (ctx, request) => {
  const id = storageId().safeParse(query(request).storageId);
  const shown = id.success && (await ctx.runQuery(messages.isShown, { storageId: id.data }));
  return shown ? ctx.storage.serve(request, id.data) : imageNotFound();
});
http.route(open({ path: "/getImage", method: "GET", handler: getImage }));

/** Checks each time that the caller owns the image, by session cookie or Bearer token. */
const getPrivateImage = httpAction(async (ctx, request) => {
  const identity = await ctx.auth.getUserIdentity();
  const id = storageId().safeParse(query(request).storageId);
  const owner = id.success && (await ctx.runQuery(images.ownerOf, { storageId: id.data }));
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

http.route({ pathPrefix: shares.path, method: "POST", handler: shares.begin, maxRequestSize: 10_000 });
http.route({ pathPrefix: shares.path, method: "GET", handler: shares.download });

const imageNotFound = () => new Response("Image not found", { status: 404 });

const query = (request: Request) => Object.fromEntries(new URL(request.url).searchParams);

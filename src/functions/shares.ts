import { createHmac, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { z } from "zod";
import { action, httpAction, internalMutation, internalQuery, mutation, query } from "~/kit";
import { createPlaces, HttpError, id, pathSuffix, requireIdentity } from "~/kit/server";

// Links to a file that can be revoked: each request for the bytes looks up the row of the link. The form of the page
// /share/<token> begins a download, which is counted, and the browser gets a cookie for the ranges that follow.

/** The path of the bytes of shared files, below `/http`. */
export const path = "/shares/";

const maxLinks = 20;
const terms = {
  /** How long the link works, in hours. */
  hours: z.int().min(1).max(8_760),
  maxDownloads: z.int().min(1).max(1_000_000).optional(),
};
const token = z.string().max(64);

export const create = action.use(requireIdentity)({
  args: { fileId: id("file"), password: z.string().min(1).max(200).optional(), ...terms },
  handler: async (ctx, { password, ...link }): Promise<string> => {
    await ctx.limitRate("http");
    const passwordHash = password === undefined ? undefined : await hashPassword(password);
    return ctx.runMutation(insert, { ...link, passwordHash });
  },
});

export const insert = internalMutation({
  args: { fileId: id("file"), passwordHash: z.string().optional(), ...terms },
  handler: async (ctx, { fileId, passwordHash, hours, maxDownloads }) => {
    const owner = (await requireIdentity(ctx)).identity.tokenIdentifier;
    if (!(await ctx.db.file.findFirst({ where: { id: fileId, owner } }))) throw notFound(`File ${fileId}`);
    if ((await ctx.db.shareLink.count({ where: { fileId } })) >= maxLinks) {
      throw new HttpError(409, `A file has at most ${maxLinks} links. Remove one first.`);
    }
    const [token, secret] = [randomBytes(16).toString("base64url"), randomBytes(32).toString("base64url")];
    const expiresAt = new Date(Date.now() + hours * 3_600_000);
    await ctx.db.shareLink.create({ data: { fileId, token, secret, passwordHash, expiresAt, maxDownloads } });
    return token;
  },
});

/** Returns the links of one of the caller's files, newest first. */
export const list = query.use(requireIdentity)({
  args: { fileId: id("file") },
  handler: async (ctx, { fileId }) => {
    const where = { fileId, file: { owner: ctx.identity.tokenIdentifier } };
    const links = await ctx.db.shareLink.findMany({ where, orderBy: { id: "desc" }, take: maxLinks });
    return links.map(({ secret: _, passwordHash, ...link }) => ({ ...link, hasPassword: passwordHash !== null }));
  },
});

/** Takes a link back. A download that is under way ends at its next range. */
export const revoke = mutation.use(requireIdentity)({
  args: { linkId: id("shareLink") },
  handler: async (ctx, { linkId }) => {
    const where = { id: linkId, file: { owner: ctx.identity.tokenIdentifier } };
    if ((await ctx.db.shareLink.deleteMany({ where })).count === 0) throw notFound(`Link ${linkId}`);
  },
});

/** Returns what a link leads to, "held" while the file is held, or `null` when no download can begin any more. */
export const get = query({
  args: { token },
  handler: async (ctx, { token }) => {
    const link = await ctx.runQuery(find, { token });
    if (!link || link.downloads >= (link.maxDownloads ?? Number.POSITIVE_INFINITY)) return null;
    if (link.file.storage.held) return "held";
    const { name, size, contentType } = link.file;
    return { name, size, contentType, hasPassword: link.passwordHash !== null };
  },
});

/** Returns a link that has not expired, with its file. */
export const find = internalQuery({
  args: { token },
  handler: (ctx, { token }) => {
    const include = { file: { include: { storage: { select: { held: true } } } } };
    return ctx.db.shareLink.findFirst({ where: { token, expiresAt: { gt: new Date() } }, include });
  },
});

/** Counts a download. Returns `false` when none can begin. */
export const count = internalMutation({
  args: { token },
  handler: async (ctx, { token }) => {
    const found = await ctx.runQuery(get, { token });
    if (!found || found === "held") return false;
    await ctx.db.shareLink.update({ where: { token }, data: { downloads: { increment: 1 } } });
    return true;
  },
});

/** `POST`: begins a download, and answers with a cookie for it. */
export const begin = httpAction(async (ctx, request) => {
  const token = pathSuffix(request, path);
  const back = (reason: string) => redirect(`/share/${encodeURIComponent(token)}?${reason}`);
  const password = new URLSearchParams(await request.text()).get("password") ?? "";
  const link = await ctx.runQuery(find, { token });
  if (!link) return back("gone");
  // Wrong passwords count for the link, because guesses may come from anywhere.
  if (link.passwordHash !== null) {
    await ctx.limitRate({ name: "sharePasswords", rate: 10, per: 60_000, key: token });
    const [salt] = link.passwordHash.split(".");
    if (!isEqual(await hashPassword(password, salt), link.passwordHash)) return back("wrong");
  }
  if (!(await ctx.runMutation(count, { token }))) return back("gone");
  // The ranges of a download may be requested for twelve hours.
  const until = Math.min(Date.now() + 12 * 3_600_000, link.expiresAt.getTime());
  const { pathname, protocol } = new URL(request.url);
  const attributes = `Path=${pathname}; HttpOnly; SameSite=Lax${protocol === "https:" ? "; Secure" : ""}`;
  return redirect(pathname, { "Set-Cookie": `share=${until}.${sign(link.secret, until)}; ${attributes}` });
});

/** `GET`: the file, whole or in ranges, for a download that has begun. */
export const download = httpAction(async (ctx, request) => {
  const token = pathSuffix(request, path);
  const link = await ctx.runQuery(find, { token });
  if (!link) throw new HttpError(404, "This link does not work any more.");
  if (link.file.storage.held || !hasBegun(request, link.secret)) return redirect(`/share/${token}`);
  const { storageId, name } = link.file;
  return ctx.storage.serve(request, storageId, { downloadAs: name, cacheControl: "private, no-store" });
});

function hasBegun(request: Request, secret: string): boolean {
  const [, until = "", signature = ""] = /share=(\d+)\.([\w-]+)/.exec(request.headers.get("cookie") ?? "") ?? [];
  return Number(until) > Date.now() && isEqual(signature, sign(secret, Number(until)));
}

const sign = (secret: string, until: number) => createHmac("sha256", secret).update(String(until)).digest("base64url");

const isEqual = (one: string, other: string) =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));

/** A hash takes 16 MiB and about 50 ms of a thread. Two are made at once, and at most 20 wait. */
const inTurn = createPlaces(2, 20);
const derive = promisify<string, string, number, object, Buffer>(scrypt);

async function hashPassword(password: string, salt = randomBytes(16).toString("base64url")): Promise<string> {
  const hash = await inTurn(() => derive(password.normalize(), salt, 32, { N: 2 ** 14 }));
  return `${salt}.${hash.toString("base64url")}`;
}

const redirect = (location: string, headers: HeadersInit = {}) =>
  new Response(null, { status: 303, headers: { Location: location, "Cache-Control": "no-store", ...headers } });

const notFound = (what: string) => new HttpError(404, `${what} does not exist or belongs to someone else.`);

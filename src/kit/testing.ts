// Tests of functions import this. Each test file has a database and a blob store of its own (tests/setup.ts). Tests run the
// app as it is, and nothing is a stand-in.

import type { UserIdentity } from "./auth/identity";
import { ownIssuer } from "./auth/issuers";
import type { App } from "./create-kit";
import { pool, pools, prisma } from "./database/database";
import { run } from "./functions/context";
import { createSystemContext, type RequestContext } from "./functions/request-context";
import type { ArgsOf, Kind, ServerFunction } from "./functions/server-function";
import { serveHttp } from "./http/serve-http";
import { runDueJobs } from "./jobs/runner";
import { flush } from "./log/function-log";
import { upload } from "./storage/upload";

/** The database of the tested app, to prepare and to check what functions cannot. */
export { prisma as database } from "./database/database";

/** Milliseconds in which due jobs are begun. */
const budget = 10_000;

/** Writes what the function log still holds, and closes the database's connections. tests/setup.ts calls it after each file. */
export async function closeApp(): Promise<void> {
  if (!pool.ended) await flush();
  await Promise.all(Object.values(pools).map((each) => each.ended || each.end()));
}

interface Tested<Functions> {
  router: { createCaller(context: RequestContext): Functions };
  http: App["http"];
}

/**
 * An app to test, with its functions as TypeScript functions:
 *
 *     const { as, nobody, upload, runJobs } = testApp(app);
 *     const ann = as("ann");
 *     const storageId = await upload(await ann.files.generateUploadUrl(), "hello", "text/plain");
 *     await ann.files.saveFile({ storageId, name: "hello.txt" });
 *     await expect(nobody.files.list()).rejects.toThrow("UNAUTHORIZED");
 */
export function testApp<Functions>({ router, http }: Tested<Functions>) {
  const contextOf = (identity: UserIdentity | null) => ({ ...createSystemContext(), identity: async () => identity });
  const by = (identity: UserIdentity | null): Functions => router.createCaller(contextOf(identity));
  const identityOf = (subject: string): UserIdentity => ({
    tokenIdentifier: `${ownIssuer}|${subject}`,
    subject,
    issuer: ownIssuer,
  });
  return {
    /** Calls functions as a user who is signed in. `more` has further fields for `ctx.auth.getUserIdentity`. */
    as: (subject: string, more: Partial<UserIdentity> = {}) => by({ ...identityOf(subject), ...more }),
    /** Calls functions as a visitor who has no account. */
    visitor: (subject = "visitor") => by({ ...identityOf(subject), isAnonymous: true }),
    /** Calls functions without an identity. */
    nobody: by(null),
    /** Runs an internal function, as the scheduler does: `run(images.createThumbnail, { imageId })`. */
    run: <K extends Kind, Args, Result>(fn: ServerFunction<K, Args, Result>, ...[args]: ArgsOf<Args>) =>
      run(contextOf(null), fn, args),
    /** Runs an internal function as a user who is signed in, like a function that this user calls does. */
    runAs: <K extends Kind, Args, Result>(
      subject: string,
      fn: ServerFunction<K, Args, Result>,
      ...[args]: ArgsOf<Args>
    ) => run(contextOf(identityOf(subject)), fn, args),
    /**
     * Sends a file to an upload URL, and returns its storage id.
     * @throws with the server's answer when it refuses the file
     */
    async upload(url: string, body: BodyInit, contentType?: string): Promise<string> {
      const headers: HeadersInit = contentType ? { "Content-Type": contentType } : {};
      const response = await upload(new Request(url, { method: "POST", body, headers }));
      const answer: { storageId?: string; code?: string; message?: string } = await response.json();
      if (answer.storageId === undefined) throw new Error(`${answer.code}: ${answer.message}`);
      return answer.storageId;
    },
    /** Sends a request to an HTTP action: `fetch("/postMessage", { method: "POST", body })`. */
    fetch: (path: string, init?: RequestInit) => serveHttp(http)(new Request(`http://app.test/http${path}`, init)),
    /**
     * Runs the scheduled functions that are due, also those that they schedule, and waits for them.
     *
     * @param at runs all that will be due by then, as if it were that time already
     * @returns how many ran
     */
    async runJobs({ at = new Date() }: { at?: Date } = {}): Promise<number> {
      let ran = 0;
      for (;;) {
        await prisma.scheduledFunction.updateMany({
          where: { state: "pending", cron: null, scheduledTime: { gt: new Date(), lte: at } },
          data: { scheduledTime: new Date() },
        });
        await prisma.scheduledFunction.updateMany({
          where: { state: "pending", retryAt: { gt: new Date(), lte: at } },
          data: { retryAt: new Date() },
        });
        const now = await runDueJobs(budget);
        if (now === 0) return ran;
        ran += now;
      }
    },
  };
}

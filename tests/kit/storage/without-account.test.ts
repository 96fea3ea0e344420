import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { app } from "~/functions";
import { tokenIdentifier } from "~/kit/auth/issuers";
import { pool } from "~/kit/database/database";
import { t } from "~/kit/functions/builders";
import { actionCtx } from "~/kit/functions/context";
import { limitRate } from "~/kit/functions/rate-limit";
import { createSystemContext } from "~/kit/functions/request-context";
import { env } from "~/kit/process/env";
import { limits } from "~/kit/process/limits";
import { processWide } from "~/kit/process/process-wide";
import { blobs } from "~/kit/storage/blobs";
import { allowanceOf } from "~/kit/storage/quota";
import { api, apiOf, post } from "../caller";
import { everything } from "./kit";

const { router } = app;

const usual = { ...limits };
const from = (address: string) => ({ "x-forwarded-for": address });

/** The sum of what callers without an account stored is only computed from time to time. Here it is computed each time. */
const counted = processWide("storage without an account", () => ({ countAgainAt: 0 }));

async function userOf(id: string, isAnonymous: boolean): Promise<string> {
  await pool.query(
    'INSERT INTO "_users" ("_id", "name", "email", "isAnonymous", "updatedAt") VALUES ($1, $1, $2, $3, now())',
    [id, `${id}@example.com`, isAnonymous],
  );
  return tokenIdentifier(id);
}

/** The functions, called by one of the app's own users. */
async function apiOfUser(id: string, isAnonymous: boolean) {
  const name = await userOf(id, isAnonymous);
  const identity = async () => ({ tokenIdentifier: name, subject: id, issuer: env.AUTH_OWN_ISSUER });
  return t.createCallerFactory(router)({ ...createSystemContext(), identity });
}

beforeEach(() => {
  vi.spyOn(env, "TRUST_PROXY", "get").mockReturnValue(1);
  // The disk of the machine that runs this test has its own reserve.
  vi.spyOn(blobs, "space").mockResolvedValue({ free: 10 ** 13, total: 10 ** 13 });
  counted.countAgainAt = 0;
});
afterEach(async () => {
  vi.restoreAllMocks();
  Object.assign(limits, usual);
  await pool.query(`TRUNCATE "_rate_limits"; DELETE FROM "_users"`);
  counted.countAgainAt = 0;
});

const status = async (by: typeof api, body: BodyInit, headers: Record<string, string> = {}) => {
  const url = await by.files.generateUploadUrl();
  const response = await post(url, body, headers);
  return response.status;
};

describe("of one network", () => {
  beforeEach(() => {
    limits.networkBytesPerDay = 10 * 1024;
  });
  const five = new Uint8Array(5 * 1024);

  test("so many bytes come in a day without an account, whoever the visitor is; those of an account do not count", async () => {
    const [ann, bob] = [await apiOfUser("ann", true), await apiOfUser("bob", true)];
    const eve = await apiOfUser("eve", false);
    expect(await status(ann, five, from("192.0.2.1"))).toBe(200);
    expect(await status(bob, five, from("192.0.2.1"))).toBe(200);
    const before = await everything();
    expect(await status(bob, five, from("192.0.2.1"))).toBe(429);
    expect(await status(api, "x", { ...from("192.0.2.1"), "Content-Length": "1" })).toBe(429);
    expect(await everything()).toEqual(before);
    expect(await status(bob, five, from("192.0.2.2"))).toBe(200);
    expect(await status(eve, five, from("192.0.2.1"))).toBe(200);
    expect(await status(apiOf("of another issuer"), five, from("192.0.2.1"))).toBe(200);
  });

  test("uploads that run side by side are counted together while their bytes come", async () => {
    limits.networkBytesPerDay = 40 * 1024 * 1024;
    const body = () => new Uint8Array(17 * 1024 * 1024);
    const all = await Promise.all([1, 2, 3].map(() => status(api, body(), from("192.0.2.1"))));
    expect(all.filter((answer) => answer === 200)).toHaveLength(2);
  });

  test("what an action stores for a visitor counts, and what a job stores does not", async () => {
    limits.networkBytesPerDay = 0;
    const caller = { ...createSystemContext(), network: "192.0.2.1" };
    const store = (by: typeof caller & { jobId?: string }) => actionCtx(by).storage.store(new Blob(["x"]));
    await expect(store(caller)).rejects.toThrow();
    expect(await store({ ...caller, jobId: "a job" })).toMatch(/-/);
  });
});

/** No account has stored anything when this is asked. */
async function usedWithoutAccount(): Promise<number> {
  const { rows } = await pool.query(
    `SELECT coalesce(sum("size"), 0)::int AS sum FROM "_storage" WHERE "owner" IS NULL OR starts_with("owner", $1)`,
    [tokenIdentifier("")],
  );
  return rows[0].sum;
}

describe("all who have no account", () => {
  test("store so many bytes together; accounts go on", async () => {
    const ann = await apiOfUser("cleo", true);
    const eve = await apiOfUser("dora", false);
    const used = await usedWithoutAccount();
    limits.bytesWithoutAccount = used + 10;
    expect(await status(ann, "12345678")).toBe(200);
    counted.countAgainAt = 0;
    expect(await status(ann, "12345678")).toBe(507);
    expect(await status(api, "12345678")).toBe(507);
    expect(await status(eve, "12345678")).toBe(200);
  });

  test("leave half of the free disk to accounts", async () => {
    const used = await usedWithoutAccount();
    vi.mocked(blobs.space as () => Promise<unknown>).mockResolvedValue({ free: used + 100, total: 200 });
    counted.countAgainAt = 0;
    expect(await status(api, new Uint8Array(51))).toBe(507);
    expect(await status(api, new Uint8Array(49))).toBe(200);
  });
});

test("one person without an account may upload a file of 5 GiB with the limits as they are", async () => {
  const { remaining, count } = await allowanceOf({ network: "192.0.2.9" });
  expect(remaining).toBeGreaterThan(5 * 1024 ** 3);
  await count(5 * 1024 ** 3);
});

describe("messages", () => {
  test("are limited for each caller, and a mutation that runs again counts once", async () => {
    vi.spyOn(env, "RATE_LIMIT_MESSAGES", "get").mockReturnValue(2);
    const ann = apiOf("ann of messages");
    const bare = createSystemContext();
    const by = t.createCallerFactory(router)({
      ...bare,
      limitRate: (name) => limitRate(name, { identity: "ann", headers: new Headers() }),
    });
    await by.messages.sendMessage({ author: "a", body: "b" });
    await by.messages.sendMessage({ author: "a", body: "b" });
    await expect(by.messages.sendMessage({ author: "a", body: "b" })).rejects.toMatchObject({
      code: "TOO_MANY_REQUESTS",
    });
    await expect(by.messages.sendImage({ author: "a", storageId: crypto.randomUUID() })).rejects.toMatchObject({
      code: "TOO_MANY_REQUESTS",
    });
    await ann.messages.sendMessage({ author: "a", body: "b" });
  });
});

import { describe, expect, test } from "vitest";
import { prisma } from "~/kit/database/database";
import { internalMutation, internalQuery } from "~/kit/functions/builders";
import { actionCtx, run } from "~/kit/functions/context";
import { limitRate, type RateLimit } from "~/kit/functions/rate-limit";
import { createSystemContext, type RequestContext } from "~/kit/functions/request-context";

const contextOf = (subject: string): RequestContext => {
  const identity = { tokenIdentifier: `test|${subject}`, subject, issuer: "test" };
  return {
    ...createSystemContext(),
    identity: async () => identity,
    limitRate: (limit) => limitRate(limit, { identity: identity.tokenIdentifier, headers: new Headers() }),
  };
};
const tooMany = { code: "TOO_MANY_REQUESTS", retryAfter: expect.any(Number) };

describe("ctx.limitRate with a limit of the app", () => {
  const limited = (limit: RateLimit, fail = false) =>
    internalMutation({
      handler: async (ctx) => {
        await ctx.limitRate(limit);
        if (fail) throw new Error("undone");
      },
    });
  const call = (subject: string, limit: RateLimit, fail = false) =>
    run(contextOf(subject), limited(limit, fail), undefined);
  test("counts by key, for everybody together", async () => {
    const limit = { name: "room", rate: 2, per: 60_000, key: "room 1" };
    await call("ann", limit);
    await call("bob", limit);
    await expect(call("cai", limit)).rejects.toMatchObject(tooMany);
    await call("cai", { ...limit, key: "room 2" });
  });

  test("counts by sender without a key", async () => {
    const limit = { name: "sender", rate: 1, per: 60_000 };
    await call("ann", limit);
    await expect(call("ann", limit)).rejects.toMatchObject(tooMany);
    await call("bob", limit);
  });

  test("counts a call whose mutation is undone, and one that is refused", async () => {
    const limit = { name: "undone", rate: 1, per: 60_000, key: "all" };
    await expect(call("ann", limit, true)).rejects.toThrow("undone");
    await expect(call("ann", limit)).rejects.toMatchObject(tooMany);
    const [row] = await prisma.rateLimit.findMany({ where: { key: { startsWith: "app.undone:" } } });
    expect(row?.points).toBe(2);
  });

  test("counts once for a mutation that names the same limit twice", async () => {
    const limit = { name: "twice", rate: 1, per: 60_000, key: "all" };
    const twice = internalMutation({
      handler: async (ctx) => {
        await ctx.limitRate(limit);
        await ctx.limitRate(limit);
      },
    });
    await run(createSystemContext(), twice, undefined);
    await expect(run(createSystemContext(), twice, undefined)).rejects.toMatchObject(tooMany);
  });

  test("allows calls again after its time", async () => {
    const limit = { name: "again", rate: 1, per: 1_000, key: "all" };
    await call("ann", limit);
    await prisma.rateLimit.updateMany({
      where: { key: { startsWith: "app.again:" } },
      data: { expire: Date.now() - 1 },
    });
    await call("ann", limit);
  });

  test("takes a key of any length, and many mutations at once without a conflict", async () => {
    const limit = { name: "long", rate: 5, per: 60_000, key: "k".repeat(10_000) };
    const calls = await Promise.allSettled(Array.from({ length: 12 }, () => call("ann", limit)));
    expect(calls.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
  });

  test.each([
    [{ name: "", rate: 1, per: 60_000 }],
    [{ name: "a:b", rate: 1, per: 60_000 }],
    [{ name: "a", rate: 0, per: 60_000 }],
    [{ name: "a", rate: 1.5, per: 60_000 }],
    [{ name: "a", rate: 1, per: 1 }],
  ])("refuses %j", async (limit) => {
    await expect(call("ann", limit)).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });
});

describe("ctx.storage.usage", () => {
  test("is the number and the sum of the identity's files, in every kind of function", async () => {
    const { storage } = actionCtx(contextOf("ann"));
    const none = { files: 0, bytes: 0 };
    expect(await storage.usage("test|ann")).toEqual(none);
    await storage.store(new Blob(["abc"]));
    await storage.store(new Blob(["de"]));
    await actionCtx(contextOf("bob")).storage.store(new Blob(["x"]));
    const both = { files: 2, bytes: 5 };
    expect(await storage.usage("test|ann")).toEqual(both);
    const handler = (ctx: { storage: Pick<typeof storage, "usage"> }) => ctx.storage.usage("test|ann");
    expect(await run(contextOf("ann"), internalQuery({ handler }), undefined)).toEqual(both);
    expect(await run(contextOf("ann"), internalMutation({ handler }), undefined)).toEqual(both);
  });
});

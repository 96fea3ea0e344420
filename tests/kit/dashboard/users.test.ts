import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { prisma } from "~/kit/database/database";
import { observeConsole } from "~/kit/log/function-log";
import { api } from "../caller";
import { eventually } from "../eventually";
import { account } from "./administrator";

let admin: Awaited<ReturnType<typeof account>>;
let users: typeof admin.api.dashboard.users;

beforeEach(async () => {
  await prisma.user.deleteMany();
  admin = await account({ isAdmin: true });
  users = admin.api.dashboard.users;
});

async function add(email: string, more: { isAnonymous?: boolean; createdAt?: Date } = {}): Promise<string> {
  const id = randomUUID();
  await prisma.user.create({ data: { id, name: "Eve", email, updatedAt: new Date(), ...more } });
  return id;
}

const signIn = (userId: string) =>
  prisma.session.create({
    data: {
      id: randomUUID(),
      token: randomUUID(),
      userId,
      expiresAt: new Date(Date.now() + 60_000),
      updatedAt: new Date(),
    },
  });

describe("users", () => {
  test("come page by page, the newest first, and visitors apart", async () => {
    const createdAt = new Date();
    for (const name of ["a", "b", "c"]) await add(`${name}@example.com`, { createdAt });
    const visitor = await add("temp-1@visitors.invalid", { isAnonymous: true });
    const ids: string[] = [];
    for (let cursor: string | null = null; ; ) {
      const answer: Awaited<ReturnType<typeof users.list>> = await users.list({ limit: 1, cursor });
      ids.push(...answer.page.map(({ id }) => id));
      cursor = answer.nextCursor;
      if (!cursor) break;
    }
    expect(new Set(ids).size).toBe(4);
    expect(ids).toHaveLength(4);
    expect((await users.list({ kind: "visitors" })).page.map(({ id }) => id)).toEqual([visitor]);
    await expect(users.list({ cursor: "x" })).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("are found by the beginning of an address, and by their id", async () => {
    const id = await add("a_b@example.com");
    await add("acb@example.com");
    const found = async (search: string) => (await users.list({ search })).page.map(({ email }) => email);
    expect(await found("A_")).toEqual(["a_b@example.com"]);
    expect(await found("a")).toEqual(expect.arrayContaining(["a_b@example.com", "acb@example.com"]));
    expect(await found(id)).toEqual(["a_b@example.com"]);
    expect(await found("%")).toEqual([]);
  });

  test("are shown with their sessions, without a token", async () => {
    const id = await add("a@example.com");
    const { token, id: sessionId } = await signIn(id);
    const user = await users.get({ userId: id });
    expect(user).toMatchObject({
      email: "a@example.com",
      sessions: [{ id: sessionId }],
      stored: { files: 0, isAll: true },
    });
    expect(JSON.stringify(user)).not.toContain(token);
    expect(await users.get({ userId: "nobody" })).toBeNull();
  });
});

describe("administrators", () => {
  const isAdmin = async (id: string) => (await prisma.user.findUnique({ where: { id } }))?.isAdmin;

  test("are made and unmade, which is in the function log", async () => {
    observeConsole();
    const userId = await add("a@example.com");
    await users.setAdmin({ userId, isAdmin: true });
    expect(await isAdmin(userId)).toBe(true);
    await users.setAdmin({ userId, isAdmin: false });
    expect(await isAdmin(userId)).toBe(false);
    await eventually(async () => {
      const { calls } = await admin.api.dashboard.calls.list({ function: "_kit.users.setAdmin" });
      expect(calls.flatMap(({ lines }) => lines.map(({ text }) => text))).toContain(
        `User ${userId} is an administrator now, by administrator ${admin.user.id}`,
      );
    });
  });

  test("cannot be visitors, nor have an address that is not confirmed where mail is sent", async () => {
    const visitor = await add("v@visitors.invalid", { isAnonymous: true });
    await expect(users.setAdmin({ userId: visitor, isAdmin: true })).rejects.toMatchObject({ code: "CONFLICT" });
    const { env } = await import("~/kit/process/env");
    vi.spyOn(env, "SMTP_URL", "get").mockReturnValue("smtp://mail.example.com");
    await prisma.user.update({ where: { id: admin.user.id }, data: { emailVerified: true } });
    const userId = await add("a@example.com");
    await expect(users.setAdmin({ userId, isAdmin: true })).rejects.toMatchObject({ code: "CONFLICT" });
    vi.restoreAllMocks();
    expect([await isAdmin(visitor), await isAdmin(userId)]).toEqual([false, false]);
  });

  test("do not take the role from themselves, and are not deleted while they have it", async () => {
    const { user } = await account({ isAdmin: true });
    const refused = { code: "CONFLICT" };
    await expect(users.setAdmin({ userId: admin.user.id, isAdmin: false })).rejects.toMatchObject(refused);
    await expect(users.delete({ userId: admin.user.id })).rejects.toMatchObject(refused);
    await expect(users.delete({ userId: user.id })).rejects.toMatchObject(refused);
    expect(await prisma.user.count()).toBe(2);
  });
});

describe("a user", () => {
  test("is signed out of one device, or of all", async () => {
    const userId = await add("a@example.com");
    const other = await signIn(await add("b@example.com"));
    const [first] = [await signIn(userId), await signIn(userId), await signIn(userId)];
    // The session of another user is not ended by its id.
    expect(await users.signOut({ userId, sessionId: other.id })).toBe(0);
    expect(await users.signOut({ userId, sessionId: first?.id ?? "" })).toBe(1);
    expect(await users.signOut({ userId })).toBe(2);
    expect(await prisma.session.findMany()).toMatchObject([{ id: other.id }]);
  });

  test("is deleted with what is theirs", async () => {
    const { user, api: theirs } = await account({ isAdmin: false });
    await signIn(user.id);
    await theirs.messages.sendMessage({ author: "Ada", body: "mine" });
    await api.messages.sendMessage({ author: "Eve", body: "another's" });
    await users.delete({ userId: user.id });
    expect(await prisma.user.findUnique({ where: { id: user.id } })).toBeNull();
    expect(await prisma.session.count()).toBe(0);
    expect(await prisma.message.findMany()).toMatchObject([{ body: "another's" }]);
    await expect(users.delete({ userId: user.id })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

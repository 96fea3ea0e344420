import { v7 } from "uuid";
import { beforeEach, describe, expect, test, vi } from "vitest";
import {
  as,
  browser,
  database,
  mailsTo,
  mailTo,
  member,
  newAddress,
  oauth,
  ownerOf,
  password,
  runJobs,
  tokenOf,
  upload,
} from "./people";

const { takeUpload } = await import("~/kit/storage/tus");
const { deleteBelongings, deleteUnconfirmed } = await import("~/kit/auth/delete-account");
const { isAdmin } = await import("~/kit/auth/admin");
const { identityOf } = await import("~/kit/auth/identity");

/** Uploads a file that no row refers to yet. */
const uploadAs = async (id: string) => upload(await as(id).files.generateUploadUrl(), "bytes", "text/plain");

/** Begins an upload that arrives in several requests. */
async function beginUploadAs(id: string) {
  const url = await as(id).files.generateUploadUrl();
  const headers = { "tus-resumable": "1.0.0", "upload-length": "10" };
  expect((await takeUpload(new Request(url, { method: "POST", headers }))).status).toBe(201);
}

/** The tables that contain an account's id or address, except that of jobs. */
async function tablesWith(id: string, email: string): Promise<string[]> {
  const rows = await database.$queryRaw<{ name: string }[]>`
    SELECT relname AS name FROM pg_class
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND relname <> '_scheduled_functions'
      AND query_to_xml(format('SELECT FROM %I AS r WHERE r::text LIKE %L OR r::text LIKE %L', relname,
        ${`%${id}%`}::text, ${`%${email}%`}::text), true, true, '')::text LIKE '%<row%'`;
  return rows.map(({ name }) => name);
}

beforeEach(async () => {
  await database.rateLimit.deleteMany();
  vi.spyOn(console, "warn").mockReturnValue();
});

describe("a new account", () => {
  test("is signed in with by its mail and its password together, and takes along what the visitor had", async () => {
    const email = newAddress();
    const person = browser();
    await person.post("/sign-in/anonymous");
    const visitor = await person.user();
    await database.message.create({ data: { body: "b", author: "a", format: "text", owner: ownerOf(visitor.id) } });

    const signedUp = await person.post("/sign-up/email", { name: "N", email, password, callbackURL: "/gallery" });
    expect(signedUp).toMatchObject({ status: 200, body: { token: null } });
    expect(await person.user()).toMatchObject({ id: visitor.id });
    const refused = await person.post("/sign-in/email", { email, password });
    expect(refused).toMatchObject({ status: 403, body: { code: "EMAIL_NOT_VERIFIED" } });

    const { link, about } = await mailTo(email);
    expect(about).toBe("confirm");
    const followed = await person.send(link);
    expect(followed.status).toBe(302);
    const page = new URL(followed.headers.get("location") ?? "", "http://app.test");
    expect(page.pathname).toBe("/sign-in");
    const confirm = page.searchParams.get("confirm");
    expect((await person.post("/sign-in/email", { email, password: "some other phrase", confirm })).status).toBe(401);
    expect((await person.post("/sign-in/email", { email, password, confirm })).status).toBe(200);

    const user = await person.user();
    expect(user).toMatchObject({ email, emailVerified: true });
    expect(await database.message.count({ where: { owner: ownerOf(user.id) } })).toBe(1);
    // From here the link leads on to where the account was created.
    const goneOn = await person.send(page.searchParams.get("next") ?? "");
    expect([goneOn.status, goneOn.headers.get("location")]).toEqual([302, "/gallery"]);
  });

  test("gets its mail again when it is asked for", async () => {
    const email = newAddress();
    const person = browser();
    await person.post("/sign-up/email", { name: "N", email, password });
    await mailTo(email);
    await person.post("/send-verification-email", { email });
    expect((await mailTo(email)).about).toBe("confirm");
  });
});

describe("a forgotten password", () => {
  test("is replaced by a mail's link, once, which signs out all devices", async () => {
    const person = await member();
    const stranger = browser();
    expect((await stranger.post("/request-password-reset", { email: person.email })).status).toBe(200);
    const token = tokenOf((await mailTo(person.email)).link);
    const chosen = "another long phrase";
    expect((await stranger.post("/reset-password", { token, newPassword: "password1" })).body.code).toBe(
      "COMMON_PASSWORD",
    );
    expect((await stranger.post("/reset-password", { token, newPassword: chosen })).status).toBe(200);
    expect(await person.user()).toBeNull();
    expect((await stranger.post("/sign-in/email", { email: person.email, password })).status).toBe(401);
    expect((await stranger.post("/sign-in/email", { email: person.email, password: chosen })).status).toBe(200);
    expect((await stranger.post("/reset-password", { token, newPassword: "a third long phrase" })).status).toBe(400);
  });

  test("cannot be replaced by a link that is too old", async () => {
    const person = await member();
    await person.post("/request-password-reset", { email: person.email });
    const token = tokenOf((await mailTo(person.email)).link);
    await database.verification.updateMany({ data: { expiresAt: new Date() } });
    expect(await person.post("/reset-password", { token, newPassword: "another long phrase" })).toMatchObject({
      status: 400,
      body: { code: "INVALID_TOKEN" },
    });
  });
});

describe("links to choose a password", () => {
  /** Two of them, in the order in which they were asked for. */
  const twoLinks = async (email: string) => {
    for (let time = 0; time < 2; time++) await browser().post("/request-password-reset", { email });
    return (await mailsTo(email)).map(({ link }) => tokenOf(link));
  };
  const newPassword = "another long phrase";
  const changes: Record<string, (person: Awaited<ReturnType<typeof member>>, token?: string) => Promise<unknown>> = {
    "the use of another one": (_person, token) => browser().post("/reset-password", { token, newPassword }),
    "a change of the password": (person) => person.post("/change-password", { currentPassword: password, newPassword }),
    "a change of the address": async (person) => {
      const newEmail = newAddress();
      await person.post("/change-email", { newEmail });
      await person.send((await mailTo(person.email)).link);
      await person.send((await mailTo(newEmail)).link);
    },
    "a change in the database": ({ id }) =>
      database.account.updateMany({ where: { userId: id }, data: { password: null } }),
    "the deletion of the account": ({ id }) => database.user.delete({ where: { id } }),
  };

  test.each(Object.keys(changes))("end with %s", async (change) => {
    const [person, other] = [await member(), await member()];
    const [first, second] = await twoLinks(person.email);
    await twoLinks(other.email);
    await changes[change]?.(person, first);
    for (const token of [second, first]) {
      expect(await browser().post("/reset-password", { token, newPassword: "a thief's long phrase" })).toMatchObject({
        status: 400,
        body: { code: "INVALID_TOKEN" },
      });
    }
    expect(await database.verification.count({ where: { value: person.id } })).toBe(0);
    expect(await database.verification.count({ where: { value: other.id } })).toBe(2);
  });
});

describe("a mail", () => {
  test("goes to one address ten times an hour at most, whoever asks", async () => {
    const email = newAddress();
    const ask = async () => (await browser().post("/request-password-reset", { email })).status;
    const statuses = await Promise.all(Array.from({ length: 11 }, ask));
    expect(statuses.sort()).toEqual([...Array(10).fill(200), 429]);
  });

  test("to a new address too, although the link that sends it can be opened again and again", async () => {
    const [person, newEmail] = [await member(), newAddress()];
    await person.post("/change-email", { newEmail });
    const { link } = await mailTo(person.email);
    for (let time = 0; time < 12; time++) expect((await person.send(link)).status).toBe(302);
    expect(await mailsTo(newEmail)).toHaveLength(10);
  });
});

describe("an account", () => {
  test("gets another address when both addresses agree, in order", async () => {
    const person = await member();
    const newEmail = newAddress();
    expect((await person.post("/change-email", { newEmail, callbackURL: "/account" })).status).toBe(200);
    const first = await mailTo(person.email);
    expect(first.about).toBe("change");
    await person.send(first.link);
    expect((await person.user()).email).toBe(person.email);
    const second = await mailTo(newEmail);
    expect((await person.send(second.link)).headers.get("location")).toBe("/account");
    expect(await person.user()).toMatchObject({ email: newEmail, emailVerified: true });
    expect((await browser().post("/sign-in/email", { email: newEmail, password })).status).toBe(200);
  });

  test("gets another password for its own, which signs out the other devices", async () => {
    const person = await member();
    const phone = browser();
    await phone.post("/sign-in/email", { email: person.email, password });
    const change = { currentPassword: password, newPassword: "another long phrase", revokeOtherSessions: false };
    expect((await person.post("/change-password", { ...change, currentPassword: "a guess" })).status).toBe(400);
    expect((await person.post("/change-password", change)).status).toBe(200);
    expect([await phone.user(), (await person.user()).email]).toEqual([null, person.email]);
  });

  test("lists its devices, however long they have been signed in, and signs out the others", async () => {
    const person = await member();
    const phone = browser();
    await phone.post("/sign-in/email", { email: person.email, password });
    await database.session.updateMany({ data: { createdAt: new Date(0) } });
    expect(await (await person.send("/list-sessions")).json()).toHaveLength(2);
    expect((await person.post("/revoke-other-sessions")).status).toBe(200);
    expect([await phone.user(), (await person.user()).email]).toEqual([null, person.email]);
  });

  test("is deleted with all that is theirs, for good, and with nothing of others", async () => {
    const [person, other] = [await member(), await member()];
    for (const { id } of [person, other]) {
      const by = as(id);
      const storageId = await uploadAs(id);
      await by.files.saveFile({ storageId, name: "a.txt" });
      await uploadAs(id);
      await by.messages.sendMessage({ body: "Hello", author: "A" });
    }
    const email = person.email;
    expect((await person.post("/delete-user", {})).body.code).toBe("INVALID_PASSWORD");
    expect((await person.post("/delete-user", { password: "a guess" })).status).toBe(400);
    await person.post("/request-password-reset", { email });
    await beginUploadAs(person.id);
    await database.call.create({
      data: {
        id: v7(),
        time: new Date(),
        requestId: "r",
        function: "email.send",
        kind: "action",
        depth: 0,
        outcome: "INTERNAL_SERVER_ERROR",
        duration: 1,
        error: `The mail server does not know ${email}`,
      },
    });
    expect((await tablesWith(person.id, email)).length).toBeGreaterThan(5);
    expect((await person.post("/delete-user", { password })).status).toBe(200);

    expect(await person.user()).toBeNull();
    expect((await browser().post("/sign-in/email", { email, password })).status).toBe(401);
    // It is remembered that the account was deleted.
    expect(await tablesWith(person.id, email)).toEqual(["_adoptions"]);
    expect(await database.scheduledFunction.count({ where: { args: { string_contains: email } } })).toBe(0);
    expect(await database.storage.count({ where: { owner: ownerOf(other.id) } })).toBe(2);
    expect(await database.message.count({ where: { owner: ownerOf(other.id) } })).toBe(1);
    // No bytes are kept to be restored.
    expect(await database.unownedBlob.count({ where: { fileId: { not: null } } })).toBe(0);
  });

  test("that is deleted gets no files by uploads that began before, also as a visitor", async () => {
    const email = newAddress();
    const person = browser();
    await person.post("/sign-in/anonymous");
    const visitor = await person.user();
    oauth.person = { id: email, email, isVerified: true };
    await person.goTo("google");
    const { id } = await person.user();
    const files = [as(visitor.id), as(id)].map(({ files }) => files);
    const urls = await Promise.all(files.map(({ generateUploadUrl }) => generateUploadUrl()));
    const late = urls.map((url) => {
      const { readable: body, writable } = new TransformStream();
      const writer = writable.getWriter();
      void writer.write(Buffer.from("by"));
      const sending: RequestInit & { duplex: "half" } = { method: "POST", body, duplex: "half" };
      return { writer, answer: takeUpload(new Request(url, sending)) };
    });
    await vi.waitFor(async () => expect(await database.unownedBlob.count()).toBeGreaterThanOrEqual(2));
    expect((await person.post("/delete-user")).status).toBe(200);
    for (const { writer, answer } of late) {
      await writer.close();
      expect((await answer).status).toBe(401);
    }
    for (const url of urls) {
      expect((await takeUpload(new Request(url, { method: "POST", body: "bytes" }))).status).toBe(401);
      const headers = { "tus-resumable": "1.0.0", "upload-length": "10" };
      expect((await takeUpload(new Request(url, { method: "POST", headers }))).status).toBe(401);
    }
    expect(await database.storage.count({ where: { owner: { in: [ownerOf(visitor.id), ownerOf(id)] } } })).toBe(0);
  });

  test("that is deleted loses a minute later what was still being written, and nothing when it is not deleted", async () => {
    const [person, kept] = [await member(), await member()];
    const write = ({ id }: { id: string }) =>
      database.message.create({ data: { body: "b", author: "a", format: "text", owner: ownerOf(id) } });
    await deleteBelongings(kept);
    await person.post("/delete-user", { password });
    for (const each of [person, kept]) await write(each);
    await runJobs({ at: new Date(Date.now() + 2 * 60_000) });
    const left = await database.message.findMany({ where: { owner: { in: [ownerOf(person.id), ownerOf(kept.id)] } } });
    expect(left.map(({ owner }) => owner)).toEqual([ownerOf(kept.id)]);
  });

  test("without a password is deleted only just after signing in", async () => {
    const person = browser();
    oauth.person = { id: newAddress(), email: newAddress(), isVerified: true };
    expect(await person.goTo("google")).toBe("/");
    await database.session.updateMany({ data: { createdAt: new Date(Date.now() - 11 * 60_000) } });
    expect((await person.post("/delete-user")).body.code).toBe("SESSION_NOT_FRESH");
    await person.post("/sign-out");
    await person.goTo("google");
    expect((await person.post("/delete-user")).status).toBe(200);
  });
});

describe("GitHub and Google", () => {
  test.each(["github", "google"] as const)(
    "%s makes an account, takes along the visitor's things, and leads back",
    async (provider) => {
      const person = browser();
      await person.post("/sign-in/anonymous");
      const visitor = await person.user();
      await database.message.create({ data: { body: "b", author: "a", format: "text", owner: ownerOf(visitor.id) } });
      const email = newAddress();
      oauth.person = { id: email, email, isVerified: true };
      expect(await person.goTo(provider, { callbackURL: "/gallery?a=1" })).toBe("/gallery?a=1");
      const user = await person.user();
      expect(user).toMatchObject({ email, emailVerified: true, name: "Ada Lovelace" });
      expect(await database.message.count({ where: { owner: ownerOf(user.id) } })).toBe(1);
      const again = browser();
      await again.goTo(provider);
      expect((await again.user()).id).toBe(user.id);
    },
  );

  test("are linked to the account that asks for it, and by a confirmed address on both sides", async () => {
    const person = await member();
    oauth.person = { id: person.email, email: person.email, isVerified: true };
    expect(await person.goTo("google", { path: "/link-social", callbackURL: "/account" })).toBe("/account");
    const phone = browser();
    await phone.goTo("github");
    expect((await phone.user()).id).toBe(person.id);
    const accounts: { providerId: string }[] = await (await person.send("/list-accounts")).json();
    expect(accounts.map(({ providerId }) => providerId).sort()).toEqual(["credential", "github", "google"]);
  });

  test("work for an address that somebody else has registered once its owner has chosen a password", async () => {
    const [email, person] = [newAddress(), browser()];
    await browser().post("/sign-up/email", { name: "Somebody else", email, password });
    oauth.person = { id: email, email, isVerified: true };
    expect(await person.goTo("google")).toBe("/failed?error=account_not_linked");
    await mailTo(email);
    await person.post("/request-password-reset", { email });
    const token = tokenOf((await mailTo(email)).link);
    await person.post("/reset-password", { token, newPassword: "another long phrase" });
    expect(await person.goTo("google")).toBe("/");
    expect((await browser().post("/sign-in/email", { email, password })).status).toBe(401);
  });

  test("keep their tokens encrypted", async () => {
    const account = await database.account.findFirst({ where: { providerId: "github" } });
    expect(account?.accessToken).not.toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe("an account whose address is not confirmed", () => {
  const unconfirmed = async () => {
    const email = newAddress();
    await browser().post("/sign-up/email", { name: "N", email, password });
    return database.user.update({ where: { email }, data: { createdAt: new Date(Date.now() - 8 * 86_400_000) } });
  };

  test("is no administrator", async () => {
    const user = await unconfirmed();
    await database.user.update({ where: { id: user.id }, data: { isAdmin: true } });
    expect(await isAdmin(identityOf(user))).toBe(false);
    await database.user.update({ where: { id: user.id }, data: { emailVerified: true } });
    expect(await isAdmin(identityOf(user))).toBe(true);
  });

  test("is deleted after a week, unless it owns something", async () => {
    const [gone, withRow, withFile, signedIn] = [
      await unconfirmed(),
      await unconfirmed(),
      await unconfirmed(),
      await unconfirmed(),
    ];
    const young = await database.user.update({
      where: { id: (await unconfirmed()).id },
      data: { createdAt: new Date() },
    });
    await database.message.create({ data: { body: "b", author: "a", format: "text", owner: ownerOf(withRow.id) } });
    await uploadAs(withFile.id);
    const session = { id: "s", token: "s", userId: signedIn.id, expiresAt: new Date(Date.now() + 1e6) };
    await database.session.create({ data: session });
    expect(await deleteUnconfirmed()).toBe(1);
    const kept = await database.user.findMany({ where: { emailVerified: false } });
    expect(kept.map(({ id }) => id)).toEqual(expect.arrayContaining([withRow.id, withFile.id, signedIn.id, young.id]));
    expect(kept.map(({ id }) => id)).not.toContain(gone.id);
  });
});

import { beforeEach, describe, expect, test, vi } from "vitest";
import { browser, database, mailsTo, mailTo, member, newAddress, oauth, password, tokenOf } from "./people";

// What attackers try, and what they achieve. In each row, `attack` plays a story and returns the outcome.

beforeEach(async () => {
  await database.rateLimit.deleteMany();
  for (const method of ["warn", "error"] as const) vi.spyOn(console, method).mockReturnValue();
});

type Person = ReturnType<typeof browser>;

/** Whether the browser is signed in to an account with this address. */
const isSignedIn = async (person: Person, email: string) => (await person.user())?.email === email;

/** What an answer reveals, without the request's own values and without random ones. */
const told = ({ status, body }: { status: number; body: object }, ...asked: string[]) => {
  const hidden = (_: string, value: unknown) =>
    typeof value === "string" && (asked.includes(value) || /^[A-Za-z0-9]{32}$|^\d{4}-\d\d-\d\dT/.test(value))
      ? "…"
      : value;
  return JSON.stringify({ status, body }, hidden);
};

/** An account that an attacker made with somebody's address before the app sent mail. It has a session. */
async function preRegistered(email: string) {
  const attacker = await member(email);
  await database.user.update({ where: { email }, data: { emailVerified: false } });
  return attacker;
}

async function ownPassword(victim: Person, email: string) {
  await victim.post("/request-password-reset", { email });
  const token = tokenOf((await mailTo(email)).link);
  return victim.post("/reset-password", { token, newPassword: "the victim's own phrase" });
}

/** Goes to a provider, and returns the path that it leads back to, without going there. */
async function authorized(person: Person, provider: "github" | "google" = "google", path = "/sign-in/social") {
  const { body } = await person.post(path, { provider, callbackURL: "/", errorCallbackURL: "/failed" });
  const { pathname, search } = new URL(body.url);
  const agreed = await fetch(oauth.url + pathname + search, { redirect: "manual" });
  return new URL(agreed.headers.get("location") ?? "");
}

const follow = async (person: Person, url: URL) => (await person.send(url.href)).headers.get("location");

interface Story {
  attack: () => Promise<unknown>;
  outcome: unknown;
}

const enumeration: Record<string, Story> = {
  "signing up with an address that is taken": {
    attack: async () => {
      const [{ email: taken }, free] = [await member(), newAddress()];
      const ask = (email: string) =>
        browser().post("/sign-up/email", { name: "N", email, password: "any long phrase" });
      return told(await ask(taken), taken) === told(await ask(free), free);
    },
    outcome: true,
  },
  "signing in to an account that is there, with a wrong password": {
    attack: async () => {
      const ask = (email: string) => browser().post("/sign-in/email", { email, password: "a wrong guess" });
      return told(await ask((await member()).email)) === told(await ask(newAddress()));
    },
    outcome: true,
  },
  "signing in to an account that is not confirmed, with a wrong password": {
    attack: async () => {
      const email = newAddress();
      await browser().post("/sign-up/email", { name: "N", email, password });
      const ask = (email: string) => browser().post("/sign-in/email", { email, password: "a wrong guess" });
      return told(await ask(email)) === told(await ask(newAddress()));
    },
    outcome: true,
  },
  "asking for a new password": {
    attack: async () => {
      const ask = (email: string) => browser().post("/request-password-reset", { email });
      return told(await ask((await member()).email)) === told(await ask(newAddress()));
    },
    outcome: true,
  },
  "asking for the mail that confirms": {
    attack: async () => {
      const ask = (email: string) => browser().post("/send-verification-email", { email });
      return told(await ask((await member()).email)) === told(await ask(newAddress()));
    },
    outcome: true,
  },
  "changing one's address to one that is taken": {
    attack: async () => {
      const [person, { email: taken }] = [await member(), await member()];
      const ask = (newEmail: string) => person.post("/change-email", { newEmail });
      return told(await ask(taken)) === told(await ask(newAddress()));
    },
    outcome: true,
  },
  "changing one's address to one that is taken, by the mails and their links": {
    attack: async () => {
      const [person, other, free] = [await member(), await member(), newAddress()];
      const seen = async (newEmail: string) => {
        await person.post("/change-email", { newEmail, callbackURL: "/account" });
        const { about, link } = await mailTo(person.email);
        const { location } = Object.fromEntries((await person.send(link)).headers);
        return [about, link.replace(tokenOf(link), "…"), location].join(" ");
      };
      const isSame = (await seen(other.email)) === (await seen(free));
      return [isSame, (await mailTo(other.email)).about, (await mailTo(free)).about];
    },
    outcome: [true, "taken", "confirm"],
  },
};

const fixation: Record<string, Story> = {
  "a session that the attacker put into the browser does not become the victim's": {
    attack: async () => {
      const [{ email }, attacker, victim] = [await member(), browser(), browser()];
      await attacker.post("/sign-in/anonymous");
      for (const [name, value] of attacker.jar) victim.jar.set(name, value);
      await victim.post("/sign-in/email", { email, password });
      return [await isSignedIn(victim, email), await attacker.user()];
    },
    outcome: [true, null],
  },
  "a link that confirms the attacker's account does not sign the victim in to it": {
    attack: async () => {
      const [email, victim] = [newAddress(), browser()];
      await browser().post("/sign-up/email", { name: "N", email, password });
      await victim.post("/sign-in/anonymous");
      await victim.send((await mailTo(email)).link);
      return (await victim.user()).isAnonymous;
    },
    outcome: true,
  },
  "a link that chooses a password does not sign in": {
    attack: async () => {
      const [{ email }, victim] = [await member(), browser()];
      await ownPassword(victim, email);
      return victim.user();
    },
    outcome: null,
  },
};

const preRegistration: Record<string, Story> = {
  "the victim opens the mail of an account that the attacker made with their address": {
    attack: async () => {
      const [email, attacker] = [newAddress(), browser()];
      await attacker.post("/sign-up/email", { name: "N", email, password });
      await browser().send((await mailTo(email)).link);
      return (await attacker.post("/sign-in/email", { email, password })).body.code;
    },
    outcome: "EMAIL_NOT_VERIFIED",
  },
  "the victim signs up with the address too, and is led to choose a password": {
    attack: async () => {
      const [email, attacker] = [newAddress(), browser()];
      await attacker.post("/sign-up/email", { name: "N", email, password });
      await mailTo(email);
      await browser().post("/sign-up/email", { name: "V", email, password: "the victim's own phrase" });
      const { about } = await mailTo(email);
      await ownPassword(browser(), email);
      return [about, (await attacker.post("/sign-in/email", { email, password })).status];
    },
    outcome: ["taken", 401],
  },
  "the victim comes by Google to an address that the attacker registered": {
    attack: async () => {
      const email = newAddress();
      const attacker = await preRegistered(email);
      oauth.person = { id: email, email, isVerified: true };
      const location = await browser().goTo("google");
      return [location, await database.account.count({ where: { userId: attacker.id } })];
    },
    outcome: ["/failed?error=account_not_linked", 1],
  },
  "the attacker's session, password and linked provider end when the victim chooses a password": {
    attack: async () => {
      const email = newAddress();
      const attacker = await preRegistered(email);
      const link = { providerId: "github", accountId: `of ${email}`, userId: attacker.id };
      await database.account.create({ data: { id: email, ...link, updatedAt: new Date() } });
      await ownPassword(browser(), email);
      const accounts = await database.account.findMany({ where: { userId: attacker.id } });
      const again = (await attacker.post("/sign-in/email", { email, password })).status;
      return [await attacker.user(), again, accounts.map(({ providerId }) => providerId)];
    },
    outcome: [null, 401, ["credential"]],
  },
  "the attacker keeps a link that changes the address, until the victim has chosen a password": {
    attack: async () => {
      const [email, theirs] = [newAddress(), newAddress()];
      const attacker = await preRegistered(email);
      await attacker.post("/change-email", { newEmail: theirs });
      const { link } = await mailTo(theirs);
      await ownPassword(browser(), email);
      await attacker.send(link);
      return (await database.user.findUnique({ where: { id: attacker.id } }))?.email === email;
    },
    outcome: true,
  },
  "a provider that does not know whose address it is makes no account with it": {
    attack: async () => {
      const email = newAddress();
      oauth.person = { id: email, email, isVerified: false };
      return [await browser().goTo("github"), await database.user.count({ where: { email } })];
    },
    outcome: [expect.stringContaining("/failed?error=email_not_verified"), 0],
  },
  "a provider that does not know whose address it is does not lead into the account with it": {
    attack: async () => {
      const [{ email }, attacker] = [await member(), browser()];
      oauth.person = { id: email, email, isVerified: false };
      return [await attacker.goTo("github"), await attacker.user()];
    },
    outcome: ["/failed?error=account_not_linked", null],
  },
  "an address that somebody else's account got, before the link that gives it to another was opened": {
    attack: async () => {
      const [attacker, newEmail] = [await member(), newAddress()];
      await attacker.post("/change-email", { newEmail });
      await attacker.send((await mailTo(attacker.email)).link);
      const { link } = await mailTo(newEmail);
      const victim = await member(newEmail);
      const opened = await attacker.send(link);
      return [opened.headers.get("location"), (await victim.user()).email === newEmail, (await attacker.user()).email];
    },
    outcome: ["/account?error=INVALID_TOKEN", true, expect.stringContaining("@")],
  },
  "a confirmation of the attacker's own address does not confirm another account": {
    attack: async () => {
      const [email, theirs, attacker] = [newAddress(), newAddress(), browser()];
      for (const each of [email, theirs]) await attacker.post("/sign-up/email", { name: "N", email: each, password });
      const confirm = tokenOf((await mailTo(theirs)).link);
      return (await attacker.post("/sign-in/email", { email, password, confirm })).body.code;
    },
    outcome: "EMAIL_NOT_VERIFIED",
  },
  "an address of visitors is nobody's": {
    attack: async () => {
      const [visitor, attacker] = [browser(), browser()];
      await visitor.post("/sign-in/anonymous");
      const { email } = await visitor.user();
      await attacker.post("/request-password-reset", { email });
      const made = await attacker.post("/sign-up/email", { name: "N", email: "me@visitors.invalid", password });
      return [
        await mailsTo(email),
        made.body.token ?? null,
        await database.user.count({ where: { email: "me@visitors.invalid" } }),
      ];
    },
    outcome: [[], null, 0],
  },
  "a visitor cannot take an address without making an account": {
    attack: async () => {
      const visitor = browser();
      await visitor.post("/sign-in/anonymous");
      const change = await visitor.post("/change-email", { newEmail: newAddress() });
      return [change.body.code, await visitor.goTo("google", { path: "/link-social" })];
    },
    outcome: ["NO_ACCOUNT", "NO_ACCOUNT"],
  },
  "nobody makes themself an administrator, or their address confirmed": {
    attack: async () => {
      const [email, person] = [newAddress(), await member()];
      const more = { isAdmin: true, emailVerified: true, isAnonymous: true };
      await browser().post("/sign-up/email", { name: "N", email, password, ...more });
      await person.post("/update-user", { name: "M", ...more });
      const users = await database.user.findMany({
        where: { email: { in: [email, person.email] } },
        orderBy: { createdAt: "asc" },
      });
      return users.map(({ isAdmin, emailVerified, isAnonymous }) => [isAdmin, emailVerified, Boolean(isAnonymous)]);
    },
    outcome: [
      [false, true, false],
      [false, false, false],
    ],
  },
};

const stateAndPkce: Record<string, Story> = {
  "the attacker's way back from the provider, in the victim's browser": {
    attack: async () => {
      const victim = browser();
      oauth.person = { id: newAddress(), email: newAddress(), isVerified: true };
      const back = await authorized(browser());
      return [await follow(victim, back), await victim.user()];
    },
    outcome: [expect.stringContaining("error=state_mismatch"), null],
  },
  "a way back that was used already": {
    attack: async () => {
      const person = browser();
      oauth.person = { id: newAddress(), email: newAddress(), isVerified: true };
      const back = await authorized(person);
      return [await follow(person, back), await follow(person, back)];
    },
    outcome: ["/", expect.stringContaining("error=state_mismatch")],
  },
  "a way back without a state, or with one that nobody made": {
    attack: async () => {
      const person = browser();
      const back = await authorized(person);
      const { searchParams } = back;
      searchParams.set("state", "a".repeat(32));
      const unknown = await follow(person, back);
      searchParams.delete("state");
      return [unknown, await follow(person, back)];
    },
    outcome: [expect.stringContaining("error=state_mismatch"), expect.stringContaining("error=state_not_found")],
  },
  "the attacker's code with the victim's state": {
    attack: async () => {
      const [attacker, victim] = [browser(), browser()];
      oauth.person = { id: newAddress(), email: newAddress(), isVerified: true };
      const [theirs, back] = [await authorized(attacker), await authorized(victim)];
      back.searchParams.set("code", theirs.searchParams.get("code") ?? "");
      return [await follow(victim, back), await victim.user()];
    },
    outcome: ["/failed?error=invalid_code", null],
  },
  "the victim's code, overheard, with the attacker's state": {
    attack: async () => {
      const [attacker, victim] = [browser(), browser()];
      const person = await member();
      oauth.person = { id: person.email, email: person.email, isVerified: true };
      const [overheard, back] = [await authorized(victim, "github"), await authorized(attacker, "github")];
      back.searchParams.set("code", overheard.searchParams.get("code") ?? "");
      return [await follow(attacker, back), await attacker.user()];
    },
    outcome: ["/failed?error=invalid_code", null],
  },
  "a provider's token, made for this app, without the way over the provider's page": {
    attack: async () => {
      const sent = { provider: "google", idToken: { token: "a.b.c" } };
      return (await browser().post("/sign-in/social", sent)).body.code;
    },
    outcome: "ID_TOKEN_NOT_SUPPORTED",
  },
  "linking the attacker's provider account to the victim, whose address is another": {
    attack: async () => {
      const victim = await member();
      oauth.person = { id: newAddress(), email: newAddress(), isVerified: true };
      return victim.goTo("google", { path: "/link-social" });
    },
    outcome: "/failed?error=email_does_not_match",
  },
  "linking when the session that asked for it has ended": {
    attack: async () => {
      const person = await member();
      oauth.person = { id: person.email, email: person.email, isVerified: true };
      const back = await authorized(person, "google", "/link-social");
      await database.session.deleteMany({ where: { userId: person.id } });
      return [await follow(person, back), await database.account.count({ where: { userId: person.id } })];
    },
    outcome: [expect.stringContaining("/failed?error=unable_to_link_account"), 1],
  },
};

describe.each(Object.entries({ enumeration, fixation, preRegistration, stateAndPkce }))("%s", (_, stories) => {
  test.each(Object.entries(stories))("%s", async (_, { attack, outcome }) => {
    expect(await attack()).toEqual(outcome);
  });
});

const elsewhere = [
  "https://evil.example/",
  "//evil.example/",
  "/\\evil.example",
  "/\t/evil.example",
  "http://app.test@evil.example/",
  "http://app.test.evil.example/",
  "javascript:alert(1)",
];

describe("a callback URL to another origin is refused", () => {
  test.each([
    ["/sign-up/email", "callbackURL"],
    ["/sign-in/email", "callbackURL"],
    ["/request-password-reset", "redirectTo"],
    ["/send-verification-email", "callbackURL"],
    ["/change-email", "callbackURL"],
    ["/delete-user", "callbackURL"],
    ["/sign-in/social", "callbackURL"],
    ["/sign-in/social", "errorCallbackURL"],
    ["/sign-in/social", "newUserCallbackURL"],
    ["/link-social", "callbackURL"],
    ["/link-social", "errorCallbackURL"],
  ])("at %s in %s", async (path, field) => {
    const statuses = elsewhere.map(async (url) => {
      const body = {
        name: "N",
        email: newAddress(),
        newEmail: newAddress(),
        password,
        provider: "google",
        [field]: url,
      };
      return (await browser().post(path, body)).status;
    });
    expect(await Promise.all(statuses)).toEqual(elsewhere.map(() => 403));
  });

  test("in the link of a mail, also when its Origin claims that it is trusted", async () => {
    const person = await member();
    await database.user.update({ where: { id: person.id }, data: { emailVerified: false } });
    await person.post("/send-verification-email", { email: person.email });
    const { link } = await mailTo(person.email);
    for (const url of elsewhere) {
      const changed = new URL(link);
      changed.searchParams.set("callbackURL", url);
      const response = await person.send(changed.href, { headers: { origin: "https://evil.example" } });
      expect([url, response.status, response.headers.get("location")]).toEqual([url, 403, null]);
    }
  });
});

test("a page of another site cannot ask for anything in the visitor's name", async () => {
  const person = await member();
  const headers = {
    origin: "https://evil.example",
    "sec-fetch-site": "cross-site",
    "content-type": "application/json",
  };
  for (const path of [
    "/change-email",
    "/change-password",
    "/delete-user",
    "/link-social",
    "/revoke-sessions",
    "/sign-out",
  ]) {
    const body = JSON.stringify({ newEmail: newAddress(), password, provider: "google" });
    expect([path, (await person.send(path, { method: "POST", headers, body })).status]).toEqual([path, 403]);
  }
  expect(await isSignedIn(person, person.email)).toBe(true);
});

import { expectNoViolations } from "../../demos/e2e/axe";
import { type OauthStandIn, startOauth } from "../../kit/stand-ins/oauth";
import { type SmtpStandIn, startSmtp } from "../../kit/stand-ins/smtp";
import { row, text, upload } from "./files";
import { account, password, signIn, signUp } from "./sign-in";
import { test as base, expect } from "./test";

// An app that sends mail, and lets people sign in with GitHub and Google.

const redirect = new URL("../../kit/stand-ins/redirect-oauth-hosts.mjs", import.meta.url).href;

const test = base.extend<object, { smtp: SmtpStandIn; oauth: OauthStandIn }>({
  smtp: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads what a fixture needs from the pattern.
    async ({}, use) => {
      const smtp = await startSmtp();
      await use(smtp);
      await smtp.stop();
    },
    { scope: "worker" },
  ],
  oauth: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads what a fixture needs from the pattern.
    async ({}, use) => {
      const oauth = await startOauth();
      await use(oauth);
      await oauth.stop();
    },
    { scope: "worker" },
  ],
  settings: [
    ({ smtp, oauth }, use) => {
      const mail = { SMTP_URL: smtp.url, EMAIL_FROM: "App <app@example.com>" };
      return use({ ...mail, ...oauth.settings, OAUTH_STAND_IN: oauth.url, NODE_OPTIONS: `--import ${redirect}` });
    },
    { scope: "worker" },
  ],
  visit: ({ visit, oauth }, use) =>
    use(async (visitor) => {
      const page = await visit(visitor);
      // The providers' pages.
      await page.context().route(/^https:\/\/(accounts\.google\.com|github\.com)\//, (route) => {
        const { pathname, search } = new URL(route.request().url());
        return route.fulfill({ status: 302, headers: { location: oauth.url + pathname + search } });
      });
      return page;
    }),
});

// Long stories, and axe looks at everything.
test.describe.configure({ timeout: 90_000 });

test("a visitor becomes an account, and goes again without leaving anything", async ({ visit, app, smtp, oauth }) => {
  const email = "ada@example.com";
  const page = await visit({ url: "/files" });
  await upload(page, text("kept.txt"));
  await signUp(page, email);
  await expect(page.getByRole("heading", { name: "Check your email" })).toBeVisible();
  await expectNoViolations(page);

  await page.goto((await smtp.mailTo(email)).link);
  await expect(page.getByRole("heading", { name: "Confirm your address" })).toBeVisible();
  await expect(page.getByLabel("Email")).toHaveValue(email);
  await expectNoViolations(page);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Confirm" }).click();
  await expect(account(page)).toBeVisible();
  await expect(page).toHaveURL(/\/files$/);
  await expect(row(page, "kept.txt")).toBeVisible();

  // A new password, chosen on another device.
  const other = await visit({ url: "/sign-in" });
  await other.getByRole("link", { name: "Forgot your password?" }).click();
  await expect(other.getByRole("heading", { name: "Choose a new password" })).toBeVisible();
  await other.getByLabel("Email").fill(email);
  await other.getByRole("button", { name: "Send me a link" }).click();
  await expect(other.getByRole("status")).toContainText("a mail is on its way");
  await expectNoViolations(other);
  await other.goto((await smtp.mailTo(email)).link);
  await expectNoViolations(other);
  await other.getByLabel("New password").fill("another horse");
  await other.getByRole("button", { name: "Change password" }).click();
  await other.getByRole("link", { name: "Sign in" }).last().click();
  await signIn(other, email, "another horse");
  await expect(account(other)).toBeVisible();
  await page.reload();
  await expect(account(page)).toHaveCount(0);

  // Google, linked and then signed in with.
  await account(other).click();
  await other.getByRole("menuitem", { name: "Account", exact: true }).click();
  oauth.person = { id: "google-1", email, isVerified: true };
  await other.getByRole("button", { name: "Link Google" }).click();
  await expect(other.getByRole("button", { name: "Unlink Google" })).toBeVisible();
  await expect(other).toHaveURL(/\/account$/);
  await expectNoViolations(other);
  await page.goto("/sign-in?next=/gallery");
  await page.getByRole("button", { name: "Continue with Google" }).click();
  await expect(page).toHaveURL(/\/gallery$/);
  await expect(account(page)).toBeVisible();

  // Signed out elsewhere.
  await other.reload();
  await other.getByRole("button", { name: "Sign out all other devices" }).click();
  await expect(other.getByText("This device")).toBeVisible();
  await expect(other.getByRole("button", { name: "Sign out", exact: true })).toHaveCount(0);
  await page.reload();
  await expect(account(page)).toHaveCount(0);

  await other.getByLabel("Password", { exact: true }).fill("another horse");
  await other.getByRole("button", { name: "Delete my account and everything in it" }).click();
  await expect(other.getByRole("heading", { name: "Try the demos" })).toBeVisible();
  for (const table of ["_users", "_sessions", "_accounts", "_storage", "files", "_verifications"]) {
    expect([table, (await app.database.query(`SELECT FROM "${table}"`)).rowCount]).toEqual([table, 0]);
  }
  await expect
    .poll(async () => (await app.database.query(`SELECT FROM "_unowned_blobs"`)).rowCount, "bytes that are left")
    .toBe(0);
});

test("what a provider refuses is explained, and leads back to where it began", async ({ visit, oauth }) => {
  const page = await visit({ url: "/sign-in?next=/gallery" });
  oauth.person = { id: "eve", email: "eve@example.com", isVerified: false };
  await page.getByRole("button", { name: "Continue with GitHub" }).click();
  await expect(
    page.getByRole("alert").filter({ hasText: "does not know that the email address is yours" }),
  ).toBeVisible();
  await expectNoViolations(page);
  oauth.person = { ...oauth.person, isVerified: true };
  await page.getByRole("button", { name: "Continue with GitHub" }).click();
  await expect(page).toHaveURL(/\/gallery$/);
});

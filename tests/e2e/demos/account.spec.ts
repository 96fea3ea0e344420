import type { Page } from "@playwright/test";
import { type SmtpStandIn, startSmtp } from "../../kit/stand-ins/smtp";
import { expectNoViolations } from "./axe";
import { row, text, upload } from "./files";
import { test as base, expect } from "./test";

// An app that sends mail: sign-up, confirmation, and what an account can do with itself.

const test = base.extend<object, { smtp: SmtpStandIn }>({
  smtp: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads what a fixture needs from the pattern.
    async ({}, use) => {
      const smtp = await startSmtp();
      await use(smtp);
      await smtp.stop();
    },
    { scope: "worker" },
  ],
  settings: [({ smtp }, use) => use({ SMTP_URL: smtp.url, EMAIL_FROM: "App <app@example.com>" }), { scope: "worker" }],
});

// Long stories, and axe looks at everything.
test.describe.configure({ timeout: 90_000 });

const password = "correct horse";

async function signUp(page: Page, email: string) {
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Ada Lovelace");
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Create account" }).click();
  await expect(page.getByRole("heading", { name: "Look into your mail" })).toBeVisible();
}

const account = (page: Page) => page.getByRole("button", { name: "Account of Ada Lovelace" });

test("a visitor becomes an account by a mail, and chooses a new password by another", async ({ visit, smtp }) => {
  const page = await visit({ url: "/files" });
  await upload(page, text("kept.txt"));
  await signUp(page, "ada@example.com");
  await expectNoViolations(page);

  await page.goto((await smtp.mailTo("ada@example.com")).link);
  await expect(page.getByRole("heading", { name: "Confirm your address" })).toBeVisible();
  await expect(page.getByLabel("Email")).toHaveValue("ada@example.com");
  await expectNoViolations(page);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Confirm" }).click();
  await expect(account(page)).toBeVisible();
  await expect(page).toHaveURL(/\/files$/);
  await expect(row(page, "kept.txt")).toBeVisible();

  const other = await visit({ url: "/sign-in" });
  await other.getByRole("link", { name: "Forgot your password?" }).click();
  await expect(other.getByRole("heading", { name: "Choose a new password" })).toBeVisible();
  await other.getByLabel("Email").fill("ada@example.com");
  await other.getByRole("button", { name: "Send me a link" }).click();
  await expect(other.getByRole("status")).toContainText("a mail is on its way");
  await expectNoViolations(other);
  await other.goto((await smtp.mailTo("ada@example.com")).link);
  await expectNoViolations(other);
  await other.getByLabel("New password").fill("another horse");
  await other.getByRole("button", { name: "Change password" }).click();
  await other.getByRole("link", { name: "Sign in" }).last().click();
  await other.getByLabel("Email").fill("ada@example.com");
  await other.getByLabel("Password").fill("another horse");
  await other.getByRole("button", { name: "Sign in" }).click();
  await expect(account(other)).toBeVisible();
  await page.reload();
  await expect(account(page)).toHaveCount(0);
});

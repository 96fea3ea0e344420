import type { Page } from "@playwright/test";

export const password = "correct horse";

/** Creates an account, from any page of a visitor who is not signed in. */
export async function signUp(page: Page, email: string) {
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Ada Lovelace");
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Create account" }).click();
}

/** Fills in the page that signs in. */
export async function signIn(page: Page, email: string, secret = password) {
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
}

export const account = (page: Page) => page.getByRole("button", { name: "Account of Ada Lovelace" });

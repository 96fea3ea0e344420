import type { Page } from "@playwright/test";
import type { TestFile } from "./pictures";
import { expect } from "./test";

export const yourFiles = (page: Page) => page.getByRole("region", { name: "Your files" });
export const row = (page: Page, name: string) => yourFiles(page).getByRole("listitem").filter({ hasText: name });

/** A file of text. */
export const text = (name: string, content = name): TestFile => ({
  name,
  mimeType: "text/plain",
  buffer: Buffer.from(content),
});

/** Uploads files as a person does, in the dialog that the button opens, and waits until they are listed. */
export async function upload(page: Page, ...files: TestFile[]) {
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await (await chooser).setFiles(files);
  for (const { name } of files) await expect(row(page, name)).toBeVisible();
}

/** Opens what can be done with a file, and does it. */
export async function chooseAction(page: Page, name: string, action: string) {
  await page.getByRole("button", { name: `More for ${name}` }).click();
  await page.getByRole("menuitem", { name: action }).click();
}

/** Confirms the dialog that asks before something is deleted. */
export async function confirmDeletion(page: Page) {
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("alertdialog")).toBeHidden();
}

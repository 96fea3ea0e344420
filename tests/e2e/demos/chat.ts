import type { Page } from "@playwright/test";
import type { TestFile } from "./pictures";
import { expect } from "./test";

export const messages = (page: Page) => page.getByRole("log", { name: "Messages" });
export const messageBox = (page: Page) => page.getByRole("textbox", { name: "Message" });
/** Messages that the server has stored. Others are shown before they are sent. */
export const sent = (page: Page) => messages(page).locator("li:not([aria-busy=true])");
/** The pictures that are sent, of everyone or of one author. */
export const pictures = (page: Page, author = "") => messages(page).getByRole("img", { name: `Image from ${author}` });

/** Writes a message and waits until it is sent. */
export async function say(page: Page, text: string) {
  await messageBox(page).fill(text);
  await messageBox(page).press("Enter");
  await expect(sent(page).getByText(text, { exact: true })).toBeVisible();
}

/** Chooses files as a person does, in the dialog that the button opens. */
export async function choose(page: Page, ...files: TestFile[]) {
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Send pictures" }).click();
  await (await chooser).setFiles(files);
}

/** The widths of the pictures that are sent, in their order, once all of them are loaded. */
export async function expectWidths(page: Page, widths: number[]) {
  const measure = (images: (HTMLElement | SVGElement)[]) =>
    images.map((image) => {
      const isLoaded = image instanceof HTMLImageElement && image.naturalWidth > 0;
      // The picture that is loaded may be smaller than the one that was sent.
      return isLoaded ? Number(image.getAttribute("width")) : 0;
    });
  await expect.poll(() => pictures(page).evaluateAll(measure)).toEqual(widths);
}

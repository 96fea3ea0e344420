import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect } from "./test";

/** Everything that axe knows of WCAG 2.1 AA, and what it recommends beside; in the light and in the dark. */
export async function expectNoViolations(page: Page) {
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    // Legacy: without a page of its own for frames, of which there are none.
    const axe = new AxeBuilder({ page }).setLegacyMode();
    // What only colours can break is looked for in the dark; all else is the same there.
    if (colorScheme === "dark") axe.withRules(["color-contrast", "link-in-text-block"]);
    else axe.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]);
    const { violations } = await axe.analyze();
    expect(violations, `in the ${colorScheme}`).toEqual([]);
  }
}

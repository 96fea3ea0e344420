import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect } from "./test";

/** Everything that axe knows of WCAG 2.1 AA, and what it recommends beside. */
export async function expectNoViolations(page: Page) {
  // What only colours can break is looked for in the dark; all else is the same there.
  const isDark = await page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches);
  // Legacy: without a page of its own for frames, of which there are none.
  const axe = new AxeBuilder({ page }).setLegacyMode();
  if (isDark) axe.withRules(["color-contrast", "link-in-text-block"]);
  else axe.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]);
  const { violations } = await axe.analyze();
  expect(violations).toEqual([]);
}

import type { Page } from "@playwright/test";
import axe from "axe-core";
import { expect } from "../../e2e/demos/test";

declare global {
  interface Window {
    /** Once its source has been evaluated. */
    axe: typeof axe;
  }
}

const everything = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
/** All else is the same in the dark. */
const colours = ["color-contrast", "link-in-text-block"];

/** Everything that axe knows of WCAG 2.1 AA, and what it recommends beside; in the light and in the dark. */
export async function expectNoViolations(page: Page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  for (const [colorScheme, rules] of [
    ["dark", colours],
    ["light", everything],
  ] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await page.evaluate(
      (runOnly) => window.axe.run(document, { runOnly, resultTypes: ["violations"] }),
      rules,
    );
    expect(violations, `in the ${colorScheme}`).toEqual([]);
  }
}

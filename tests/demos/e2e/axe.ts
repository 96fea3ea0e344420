import type { Page } from "@playwright/test";
import axe from "axe-core";
import { expect } from "../../e2e/demos/test";

declare global {
  interface Window {
    /** Defined once axe's source has been evaluated in the page. */
    axe: typeof axe;
  }
}

const everything = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
/** Only these rules depend on the theme. */
const colours = ["color-contrast", "link-in-text-block"];

/** Checks all rules of axe for WCAG 2.1 AA and its recommendations, in the light and in the dark theme. */
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

import { randomUUID } from "node:crypto";
import type { BrowserContextOptions, Page } from "@playwright/test";
import { setAdministrator } from "../../../scripts/administrators.mjs";
import { test as base } from "../../e2e/demos/test";

interface Fixtures {
  /** Opens a page of the dashboard as an administrator. */
  administer: (path: string, options?: BrowserContextOptions) => Promise<Page>;
}

/** Tests of what administrators see. */
export const test = base.extend<Fixtures>({
  administer: async ({ app, request, visit }, use) => {
    await use(async (path, options) => {
      const email = `${randomUUID()}@example.com`;
      await request.post(`${app.origin}/api/auth/sign-up/email`, {
        headers: { Origin: app.origin },
        data: { name: "Ada", email, password: "correct horse" },
      });
      await setAdministrator(String(app.env.DATABASE_URL), email, true);
      return visit({ url: path, cookies: (await request.storageState()).cookies, ...options });
    });
  },
});

/** The rows of a table of the dashboard. */
export const rows = (page: Page, table: string) =>
  page
    .getByRole("region", { name: table })
    .getByRole("row")
    .filter({ has: page.getByRole("cell") });

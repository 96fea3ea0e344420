import {
  type BrowserContext,
  type BrowserContextOptions,
  test as base,
  type Cookie,
  expect,
  type Page,
} from "@playwright/test";
import { type Api, type App, connect, startApp } from "./app";

interface Visitor extends BrowserContextOptions {
  /** The name under which the visitor writes in the chat. By default the page makes one up. */
  name?: string;
  /** The page that the visitor opens. By default the first page. */
  url?: string;
  /** Cookies that the visitor has from the start. By default none. */
  cookies?: Cookie[];
}

interface TestFixtures {
  /** Opens a page as a visitor with a browser window, cookies and storage of their own. */
  visit: (visitor?: Visitor) => Promise<Page>;
  /** Messages that the tests of a file cause in the browser's console. Any other message there fails a test. */
  expectedInConsole: RegExp;
}

interface WorkerFixtures {
  /** Settings of the app, in addition to those of every test. */
  settings: Record<string, string>;
  /** The built app, with a database and a folder for bytes of the worker's own. */
  app: App;
}

/**
 * Tests in a real browser, against the built app:
 *
 *     test("the page greets", async ({ visit }) => {
 *       const page = await visit({ url: "/" });
 *       await expect(page.getByRole("heading", { name: "Hello" })).toBeVisible();
 *     });
 */
export const test = base.extend<TestFixtures, WorkerFixtures>({
  settings: [{}, { option: true, scope: "worker" }],

  app: [
    async ({ settings }, use) => {
      const app = await startApp(settings);
      await use(app);
      await app.stop();
    },
    { scope: "worker" },
  ],

  expectedInConsole: [/^never$/, { option: true }],

  visit: async ({ app, browser, expectedInConsole }, use) => {
    const complaints: string[] = [];
    const contexts: BrowserContext[] = [];
    await use(async ({ name, url = "/", cookies = [], ...options } = {}) => {
      const localStorage = name ? [{ name: "author", value: name }] : [];
      const { origin } = new URL(url, app.origin);
      const storageState = { cookies, origins: [{ origin, localStorage }] };
      const context = await browser.newContext({ baseURL: app.origin, storageState, ...options });
      contexts.push(context);
      context.on("weberror", (error) => complaints.push(String(error.error())));
      context.on("console", (message) => {
        if (message.type() === "error") complaints.push(`${message.text()} (${message.location().url})`);
      });
      const page = await context.newPage();
      await page.goto(url);
      return page;
    });
    for (const context of contexts) await context.close();
    expect(complaints.filter((complaint) => !expectedInConsole.test(complaint))).toEqual([]);
  },
});

/** Calls functions as the visitor of a page does. */
export async function apiOf(page: Page): Promise<Api> {
  const cookies = await page.context().cookies();
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  return connect(new URL(page.url()).origin, { cookie });
}

export { expect };

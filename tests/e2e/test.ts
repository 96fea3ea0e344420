import {
  type BrowserContext,
  type BrowserContextOptions,
  test as base,
  type Cookie,
  expect,
  type Page,
} from "@playwright/test";
import { type Api, type App, connect, startApp } from "./app";
import { type CloudStore, cloudStores } from "./stores";

interface Visitor extends BrowserContextOptions {
  /** Under which they write; otherwise the page makes one up. */
  name?: string;
  /** The page they open, by default the chat. */
  url?: string;
  /** They have from the start; by default none. */
  cookies?: Cookie[];
}

interface TestFixtures {
  /** Opens a page as a visitor with a browser window, cookies and storage of their own. */
  visit: (visitor?: Visitor) => Promise<Page>;
  /** What the tests of a file provoke in the browser's console. Anything else that is reported there fails a test. */
  expectedInConsole: RegExp;
}

export interface WorkerOptions {
  /** Where the app keeps bytes; without it on the disk. */
  store: CloudStore | undefined;
}

/** Tests that each find an empty chat, in an app of the worker's own. */
export const test = base.extend<TestFixtures, WorkerOptions & { app: App }>({
  store: [undefined, { option: true, scope: "worker" }],

  app: [
    async ({ store }, use) => {
      const opened = store && (await cloudStores[store]());
      const app = await startApp(opened?.settings);
      await use(app);
      await app.stop();
      await opened?.standIn.stop();
    },
    { scope: "worker" },
  ],

  expectedInConsole: [/^never$/, { option: true }],

  visit: async ({ app, browser, expectedInConsole }, use) => {
    await app.database.query("TRUNCATE messages");
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

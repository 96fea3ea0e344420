import { freePort, type Server, startServer } from "../../kit/e2e/app";
import { test as base } from "../test";
import { type CloudStore, cloudStores } from "./stores";

export interface WorkerOptions {
  /** Where the app keeps bytes. By default on the disk. */
  store: CloudStore | undefined;
}

interface DemoFixtures {
  emptyChat: undefined;
  /** Starts another process of the app, at an origin of its own; all of them end with the test. */
  startAnother: (origin: string, settings?: Record<string, string>) => Promise<Server>;
}

/** Each of these tests starts with an empty chat. */
export const test = base.extend<DemoFixtures, WorkerOptions>({
  store: [undefined, { option: true, scope: "worker" }],

  settings: [
    async ({ store }, use) => {
      const opened = store && (await cloudStores[store]());
      await use(opened?.settings ?? {});
      await opened?.standIn.stop();
    },
    { scope: "worker" },
  ],

  // Opens the chat by default, because most of these tests are about it.
  visit: ({ visit }, use) => use((visitor) => visit({ url: "/chat", ...visitor })),

  emptyChat: [
    async ({ app }, use) => {
      await app.database.query("TRUNCATE messages");
      await use(undefined);
    },
    { auto: true },
  ],

  startAnother: async ({ app }, use) => {
    const servers: Server[] = [];
    await use(async (origin, settings = {}) => {
      const { port } = new URL(origin);
      const server = await startServer({
        name: `served-${port}`,
        args: ["node_modules/next/dist/bin/next", "start", "--keepAliveTimeout", "1000", "--port", port],
        env: { ...app.env, APP_ORIGIN: origin, ...settings },
        ready: "Ready",
      });
      servers.push(server);
      return server;
    });
    for (const server of servers) await server.stop();
  },
});

/** An origin at which nothing listens yet. */
export const newOrigin = async () => `http://localhost:${await freePort()}`;

/** The SQL that inserts a message without a page. */
export const insert = (body: string) =>
  `INSERT INTO messages (_id, author, body, format) VALUES (gen_random_uuid(), 'Ada', '${body}', 'text')`;

export { apiOf, expect } from "../test";

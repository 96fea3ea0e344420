import { test as base } from "../test";
import { type CloudStore, cloudStores } from "./stores";

export interface WorkerOptions {
  /** Where the app keeps bytes; without it on the disk. */
  store: CloudStore | undefined;
}

/** Tests that each find an empty chat. */
export const test = base.extend<{ emptyChat: undefined }, WorkerOptions>({
  store: [undefined, { option: true, scope: "worker" }],

  settings: [
    async ({ store }, use) => {
      const opened = store && (await cloudStores[store]());
      await use(opened?.settings ?? {});
      await opened?.standIn.stop();
    },
    { scope: "worker" },
  ],

  emptyChat: [
    async ({ app }, use) => {
      await app.database.query("TRUNCATE messages");
      await use(undefined);
    },
    { auto: true },
  ],
});

export { apiOf, expect } from "../test";

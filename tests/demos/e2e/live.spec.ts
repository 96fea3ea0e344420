import type { Page } from "@playwright/test";
import { choose, expectWidths, messageBox, messages, pictures, say } from "../../e2e/demos/chat";
import { confirmDeletion, row, text } from "../../e2e/demos/files";
import { picture } from "../../e2e/demos/pictures";
import { apiOf, expect, insert, newOrigin, test } from "../../e2e/demos/test";
import { freePort } from "../../kit/e2e/app";
import { startSilentProxy } from "./silent-proxy";

const message = (page: Page, body: string) => messages(page).getByText(body, { exact: true });
const reconnecting = (page: Page) => page.getByText("Reconnecting…");

/** Counts what a page requests from now on. */
function count(page: Page, path: string) {
  const requests: string[] = [];
  page.on("request", (request) => {
    if (request.url().includes(path)) requests.push(request.url());
  });
  return requests;
}

/** Keeps requests of a page from reaching the server; `letGo` lets all of them. */
async function hold(page: Page, path: string) {
  const held: string[] = [];
  let letGo: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  await page.route(`**/${path}*`, async (route) => {
    held.push(route.request().url());
    await gate;
    await route.continue();
  });
  return { held, letGo };
}

/** Switches to another tab, or back. */
const show = (page: Page, state: "hidden" | "visible") =>
  page.evaluate((value) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, value });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);

test("messages, pictures and deletions appear in every browser, whichever process it talks to", async ({
  startAnother,
  visit,
}) => {
  const origin = await newOrigin();
  await startAnother(origin);
  const ada = await visit({ name: "Ada" });
  const ben = await visit({ name: "Ben", url: `${origin}/chat` });
  await say(ada, "From the first process");
  await expect(message(ben, "From the first process")).toBeVisible();
  await say(ben, "From the second");
  await expect(message(ada, "From the second")).toBeVisible();
  await choose(ben, picture("photo.png", { width: 31 }));
  await expectWidths(ada, [31]);
  await ben.getByRole("button", { name: "Delete your message “From the second”" }).click();
  await confirmDeletion(ben);
  await expect(message(ada, "From the second")).toBeHidden();
  await expect(message(ada, "From the first process")).toBeVisible();
  await ben.close();
});

test("what the HTTP API, SQL or another tab changes appears too", async ({ app, visit }) => {
  const page = await visit();
  await app.database.query(insert("By SQL"));
  await expect(message(page, "By SQL")).toBeVisible();
  await fetch(`${app.origin}/http/postMessage`, { method: "POST", body: JSON.stringify({ author: "A", body: "hi" }) });
  await expect(message(page, "Sent via HTTP action: hi")).toBeVisible();
  await app.database.query("TRUNCATE messages");
  await expect(page.getByText("No messages yet")).toBeVisible();

  await say(page, "A visitor from now on");
  const files = await page.context().newPage();
  await files.goto(`${app.origin}/files`);
  const api = await apiOf(page);
  const { buffer, name } = text("notes.txt");
  const url = await api.files.generateUploadUrl.mutate({});
  const upload = await fetch(url, { method: "POST", body: new Uint8Array(buffer) });
  await api.files.saveFile.mutate({ ...(await upload.json()), name });
  await expect(row(files, name)).toBeVisible();
});

test("pictures on the screen stay as they are when the list is fetched again", { tag: "@soak" }, async ({ visit }) => {
  const ada = await visit({ name: "Ada" });
  await choose(ada, picture("one.png", { width: 41 }), picture("two.png", { width: 42 }));
  const page = await visit();
  await expectWidths(page, [41, 42]);
  const downloads = count(page, "/api/storage/");
  const lists = count(page, "messages.list");
  const shown = await pictures(page).elementHandles();
  await say(ada, "A change");
  await expect(message(page, "A change")).toBeVisible();
  await choose(ada, picture("three.png", { width: 43 }));
  await expectWidths(page, [41, 42, 43]);
  for (const image of shown) expect(await image.evaluate((element) => element.isConnected)).toBe(true);
  expect(downloads).toHaveLength(1);
  expect(lists.length).toBeGreaterThan(0);
});

test("changes that come while the list is being fetched lead to one more fetch", { tag: "@soak" }, async ({
  app,
  visit,
}) => {
  const page = await visit();
  const other = await visit();
  const { held, letGo } = await hold(page, "messages.list");
  await app.database.query(insert("1"));
  await expect.poll(() => held.length).toBe(1);
  for (const body of ["2", "3", "4", "5"]) {
    await app.database.query(insert(body));
    await expect(message(other, body)).toBeVisible();
  }
  letGo();
  await expect(message(page, "5")).toBeVisible();
  expect(held.length).toBeLessThanOrEqual(2);
});

test("a page as the server rendered it is not fetched again, but when it changes", async ({ app, visit }) => {
  test.skip(
    process.env.E2E_PROCESSES !== undefined,
    "A process cannot say what changed since another rendered the page",
  );
  const page = await visit();
  await app.database.query(insert("Rendered"));
  await expect(message(page, "Rendered")).toBeVisible();
  const url = page.url();
  // The page that is left may be fetching its list again, as it does when its stream begins.
  await page.goto("about:blank");
  const lists = count(page, "messages.list");
  const stream = page.waitForResponse(/_kit\.changes/);
  await page.goto(url);
  await stream;
  await app.database.query(insert("Live"));
  await expect(message(page, "Live")).toBeVisible();
  expect(lists).toHaveLength(1);
});

test("a tab that is not seen has no stream, and is right when it is", async ({ app, visit }) => {
  const page = await visit();
  await app.database.query(insert("Seen"));
  await expect(message(page, "Seen")).toBeVisible();
  const ended = page.waitForEvent("requestfailed", (request) => request.url().includes("_kit.changes"));
  await show(page, "hidden");
  await ended;
  await app.database.query(insert("Unseen"));
  await show(page, "visible");
  await expect(message(page, "Unseen")).toBeVisible();
});

test("more windows than a browser has connections: all of them open, and are right", { tag: "@soak" }, async ({
  app,
  visit,
}) => {
  const first = await visit();
  const pages = [first];
  while (pages.length < 8) {
    const page = await first.context().newPage();
    await page.goto(`${app.origin}/chat`);
    pages.push(page);
  }
  await app.database.query(insert("To all"));
  for (const page of pages) await expect(message(page, "To all")).toBeVisible();
});

test.describe("sending", () => {
  test.use({ expectedInConsole: /ERR_FAILED/ });

  test("a text is shown before the server has it, and taken back when it cannot be sent", async ({ visit }) => {
    const page = await visit();
    await page.route("**/messages.sendMessage*", async (route) => {
      await expect(item).toHaveAttribute("aria-busy", "true");
      await expect(messageBox(page)).toHaveValue("");
      await route.abort();
    });
    const item = messages(page).getByRole("listitem").filter({ hasText: "Too good to be true" });
    await messageBox(page).fill("Too good to be true");
    await messageBox(page).press("Enter");
    await expect(messageBox(page)).toHaveValue("Too good to be true");
    await expect(item).toBeHidden();
    await page.unroute("**/messages.sendMessage*");
    await messageBox(page).press("Enter");
    await expect(item).toHaveAttribute("aria-busy", "false");
    await expect(item).toHaveCount(1);
  });
});

test.describe("when the connection breaks", () => {
  test.use({ expectedInConsole: /ERR_(CONNECTION|SOCKET|EMPTY|INCOMPLETE|INTERNET|NETWORK)|status of 5/ });

  test("a server that is restarted: the page says so, and catches up", async ({ app, startAnother, visit }) => {
    // This test starts two servers, and each may take long on a busy machine.
    test.slow();
    const origin = await newOrigin();
    const first = await startAnother(origin);
    const page = await visit({ url: `${origin}/chat` });
    await app.database.query(insert("Before"));
    await expect(message(page, "Before")).toBeVisible();
    await first.stop();
    await expect(reconnecting(page)).toBeVisible();
    await app.database.query(insert("Meanwhile"));
    await startAnother(origin);
    await expect(message(page, "Meanwhile")).toBeVisible();
    await expect(reconnecting(page)).toBeHidden();
  });

  test("a laptop that has slept: what it missed appears when it wakes", { tag: "@soak" }, async ({
    app,
    startAnother,
    visit,
  }) => {
    const origin = await newOrigin();
    const target = await newOrigin();
    await startAnother(target);
    const proxy = await startSilentProxy(origin, target);
    const page = await visit();
    await page.clock.install();
    await page.goto(`${origin}/chat`);
    await app.database.query(insert("Before"));
    await expect(message(page, "Before")).toBeVisible();
    proxy.fallSilent();
    await app.database.query(insert("Asleep"));
    await page.clock.fastForward(20_000);
    await expect(message(page, "Asleep")).toBeVisible();
    await proxy.stop();
  });

  test("a network that goes and comes: what was missed appears", async ({ app, visit }) => {
    const page = await visit();
    await app.database.query(insert("Before"));
    await expect(message(page, "Before")).toBeVisible();
    await page.context().setOffline(true);
    await expect(reconnecting(page)).toBeVisible();
    await app.database.query(insert("Meanwhile"));
    await page.context().setOffline(false);
    await expect(message(page, "Meanwhile")).toBeVisible();
    await expect(reconnecting(page)).toBeHidden();
  });

  test("a database that ends its connections, and then refuses any: nothing is missed", { tag: "@soak" }, async ({
    app,
    startAnother,
    visit,
  }) => {
    const origin = await newOrigin();
    const database = new URL(app.env.DATABASE_URL ?? "");
    const target = `http://${database.host}`;
    database.port = String(await freePort());
    const proxyAt = `http://${database.host}`;
    let proxy = await startSilentProxy(proxyAt, target);
    await startAnother(origin, { DATABASE_URL: database.href });
    const page = await visit({ url: `${origin}/chat` });
    await app.database.query(insert("Before"));
    await expect(message(page, "Before")).toBeVisible();
    await app.database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await app.database.query(insert("Ended"));
    await expect(message(page, "Ended")).toBeVisible();
    await proxy.stop();
    await app.database.query(insert("Refused"));
    await expect.poll(async () => (await fetch(`${origin}/api/health`)).status).toBe(503);
    proxy = await startSilentProxy(proxyAt, target);
    await expect(message(page, "Refused")).toBeVisible();
    await proxy.stop();
  });
});

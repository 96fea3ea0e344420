import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page, Route } from "@playwright/test";
import { startPostgres } from "../../scripts/postgres.mjs";
import { createDatabase, prepareTemplate } from "../../scripts/test-postgres.mjs";
import { freePort, startApp, startServer } from "./app";
import { choose, expectWidths, messageBox, messages, pictures, say } from "./chat";
import { confirmDeletion, row, text } from "./files";
import { picture } from "./pictures";
import { startSilentProxy } from "./silent-proxy";
import { apiOf, expect, test } from "./test";

const newOrigin = async () => `http://localhost:${await freePort()}`;
const insert = (body: string) =>
  `INSERT INTO messages (_id, author, body, format) VALUES (gen_random_uuid(), 'Ada', '${body}', 'text')`;

async function deleteMessage(page: Page, text: string) {
  await page.getByRole("button", { name: `Delete your message “${text}”` }).click();
  await confirmDeletion(page);
}

/** Counts what a page requests from now on. */
function count(page: Page, path: string) {
  const requests: string[] = [];
  page.on("request", (request) => {
    if (request.url().includes(path)) requests.push(request.url());
  });
  return requests;
}

test("messages, pictures and deletions appear in every browser, whichever process it talks to", async ({
  app,
  visit,
}) => {
  const origin = await newOrigin();
  const args = ["node_modules/next/dist/bin/next", "start", "--port", new URL(origin).port];
  const env = { ...app.env, APP_ORIGIN: origin };
  const second = await startServer({ name: "second-process", args, env, ready: "Ready" });
  try {
    const ada = await visit({ name: "Ada" });
    const ben = await visit({ name: "Ben", url: origin });
    await say(ada, "From the first process");
    await expect(messages(ben).getByText("From the first process")).toBeVisible();
    await say(ben, "From the second");
    await expect(messages(ada).getByText("From the second")).toBeVisible();
    await choose(ben, picture("photo.png", { width: 31 }));
    await expectWidths(ada, [31]);
    await deleteMessage(ben, "From the second");
    await expect(messages(ada).getByText("From the second")).toBeHidden();
    await expect(messages(ada).getByText("From the first process")).toBeVisible();
  } finally {
    await second.stop();
  }
});

test("what the HTTP API, SQL or another tab changes appears too", async ({ app, visit }) => {
  const page = await visit();
  await app.database.query(insert("By SQL"));
  await expect(messages(page).getByText("By SQL")).toBeVisible();
  await fetch(`${app.origin}/http/postMessage`, { method: "POST", body: JSON.stringify({ author: "A", body: "hi" }) });
  await expect(messages(page).getByText("Sent via HTTP action: hi")).toBeVisible();
  await app.database.query("TRUNCATE messages");
  await expect(page.getByText("No messages yet")).toBeVisible();

  await say(page, "A visitor from now on");
  const files = await page.context().newPage();
  await files.goto(`${app.origin}/files`);
  const api = await apiOf(page);
  const { buffer, name } = text("notes.txt");
  const url = await api.files.generateUploadUrl.mutate({});
  const stored: { storageId: string } = await (
    await fetch(url, { method: "POST", body: new Uint8Array(buffer) })
  ).json();
  await api.files.saveFile.mutate({ ...stored, name });
  await expect(row(files, name)).toBeVisible();
});

test("pictures on the screen stay as they are when the list is fetched again", async ({ visit }) => {
  const ada = await visit({ name: "Ada" });
  await choose(ada, picture("one.png", { width: 41 }), picture("two.png", { width: 42 }));
  const page = await visit();
  await expectWidths(page, [41, 42]);
  const downloads = count(page, "/api/storage/");
  const lists = count(page, "messages.list");
  const shown = await pictures(page).elementHandles();
  await say(ada, "A change");
  await expect(messages(page).getByText("A change")).toBeVisible();
  await choose(ada, picture("three.png", { width: 43 }));
  await expectWidths(page, [41, 42, 43]);
  for (const image of shown) expect(await image.evaluate((element) => element.isConnected)).toBe(true);
  expect(downloads).toHaveLength(1);
  expect(lists.length).toBeGreaterThan(0);
});

test("changes that come while the list is being fetched lead to one more fetch", async ({ app, visit }) => {
  const page = await visit();
  const other = await visit();
  const held: Route[] = [];
  await page.route("**/messages.list*", (route) => void held.push(route));
  await app.database.query(insert("1"));
  await expect.poll(() => held.length).toBe(1);
  for (const body of ["2", "3", "4", "5"]) {
    await app.database.query(insert(body));
    await expect(messages(other).getByText(body, { exact: true })).toBeVisible();
  }
  const lists = count(page, "messages.list");
  await page.unroute("**/messages.list*");
  for (const route of held) await route.continue();
  await expect(messages(page).getByText("5", { exact: true })).toBeVisible();
  expect(held).toHaveLength(1);
  expect(lists).toHaveLength(1);
});

test("a page as the server rendered it is not fetched again, but when it changes", async ({ app, visit }) => {
  await app.database.query(insert("Rendered"));
  const page = await visit();
  const lists = count(page, "messages.list");
  const stream = page.waitForResponse(/_kit\.changes/);
  await page.reload();
  await stream;
  await app.database.query(insert("Live"));
  await expect(messages(page).getByText("Live")).toBeVisible();
  expect(lists).toHaveLength(1);
});

test.describe("sending", () => {
  test.use({ expectedInConsole: /ERR_FAILED/ });

  test("a text is shown before the server has it, and taken back when it cannot be sent", async ({ visit }) => {
    const page = await visit();
    const held: Route[] = [];
    await page.route("**/messages.sendMessage*", (route) => void held.push(route));
    await messageBox(page).fill("Too good to be true");
    await messageBox(page).press("Enter");
    const item = messages(page).getByRole("listitem").filter({ hasText: "Too good to be true" });
    await expect(item).toHaveAttribute("aria-busy", "true");
    await expect(messageBox(page)).toHaveValue("");
    await expect.poll(() => held.length).toBe(1);
    await held[0]?.abort();
    await expect(item).toBeHidden();
    await expect(messageBox(page)).toHaveValue("Too good to be true");
    await page.unroute("**/messages.sendMessage*");
    await messageBox(page).press("Enter");
    await expect(item).toHaveAttribute("aria-busy", "false");
    await expect(item).toHaveCount(1);
  });
});

test.describe("when the connection breaks", () => {
  test.use({
    expectedInConsole: /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_EMPTY_RESPONSE|status of 5/,
  });

  test("a server that is restarted: the page says so, and catches up", async ({ app, visit }) => {
    const origin = await newOrigin();
    const first = await app.serveAt(origin);
    const page = await visit({ url: origin });
    await app.database.query(insert("Before"));
    await expect(messages(page).getByText("Before")).toBeVisible();
    await first.stop();
    await expect(page.getByText("Reconnecting…")).toBeVisible();
    await app.database.query(insert("Meanwhile"));
    const second = await app.serveAt(origin);
    await expect(messages(page).getByText("Meanwhile")).toBeVisible();
    await expect(page.getByText("Reconnecting…")).toBeHidden();
    await page.close();
    await second.stop();
  });

  test("a laptop that has slept: what it missed appears when it wakes", async ({ app, visit }) => {
    const origin = await newOrigin();
    const proxy = await startSilentProxy(origin, app.origin);
    const page = await visit({ url: "about:blank" });
    await page.clock.install();
    await page.goto(origin);
    await app.database.query(insert("Before"));
    await expect(messages(page).getByText("Before")).toBeVisible();
    proxy.fallSilent();
    await app.database.query(insert("Asleep"));
    await page.clock.fastForward("20");
    await expect(messages(page).getByText("Asleep")).toBeVisible();
    await page.close();
    await proxy.stop();
  });

  test("a database that is restarted: nothing is missed", async ({ visit }) => {
    test.slow();
    const folder = await mkdtemp(join(tmpdir(), "storage-e2e-restart-"));
    const port = await freePort();
    const before = await startPostgres({ folder, port });
    await prepareTemplate(before.url);
    const { url } = await createDatabase(before.url);
    const app = await startApp({ DATABASE_URL: url });
    const page = await visit({ url: app.origin });
    await app.api.messages.sendMessage.mutate({ author: "Ada", body: "Before" });
    await expect(messages(page).getByText("Before")).toBeVisible();
    await before.stop();
    const after = await startPostgres({ folder, port });
    await expect(async () => {
      await app.api.messages.sendMessage.mutate({ author: "Ada", body: "After" });
    }).toPass();
    await expect(messages(page).getByText("After").first()).toBeVisible();
    await page.close();
    await app.stop();
    await after.stop();
    await rm(folder, { recursive: true, force: true });
  });
});

import type { Page } from "@playwright/test";
import { messages, say } from "../../e2e/demos/chat";
import { picture } from "../../e2e/demos/pictures";
import { test as base, expect } from "../../e2e/demos/test";
import { freePort, type Server, startServer } from "../../kit/e2e/app";

interface Sites {
  /** The same app at a second port. The first allows its origin, and its page finds the API at the first. */
  client: string;
  /** A server with a route that takes cookies from there. */
  withCredentials: string;
}

const test = base.extend<object, { sites: Sites }>({
  sites: [
    async ({ app }, use) => {
      const withCredentials = `http://localhost:${await freePort()}`;
      const servers: Server[] = [
        await app.serveAt(app.clientOrigin),
        await startServer({
          name: "credentials-server",
          args: ["--import", "tsx", "tests/demos/e2e/credentials-server.ts"],
          env: { ...app.env, PORT: new URL(withCredentials).port },
          ready: "Ready",
        }),
      ];
      await use({ client: app.clientOrigin, withCredentials });
      for (const server of servers) await server.stop();
    },
    { scope: "worker", timeout: 60_000 },
  ],
});

// In one worker, for all of which the servers below are started.
test.describe.configure({ mode: "default" });

/**
 * Returns what a script of the page can read of an answer. It is `error` when the browser hides the answer from the script.
 */
function fetchFrom(page: Page, url: string, init: RequestInit = {}): Promise<unknown> {
  return page.evaluate(
    async ([target, options]) => {
      try {
        const response = await fetch(target, options);
        return { status: response.status, body: await response.text() };
      } catch (error) {
        return { error: error instanceof TypeError ? "refused by the browser" : String(error) };
      }
    },
    [url, init] as const,
  );
}

const refused = { error: "refused by the browser" };

test("a picture and a text go straight to the API of another origin, and are shown from there", async ({
  app,
  sites,
  visit,
}) => {
  const chat = await visit();
  const page = await visit({ url: `${sites.client}/http-demo`, name: "User 123" });
  expect(new URL(page.url()).origin).not.toBe(app.origin);
  await page.getByLabel("Send a picture").setInputFiles(picture("photo.png", { width: 91 }));
  const image = page.getByRole("img", { name: "Image from User 123" });
  await expect(image).toHaveAttribute("src", new RegExp(`^${app.origin}/http/getImage\\?storageId=[\\w-]+$`));
  const width = () => image.evaluate((element) => element instanceof HTMLImageElement && element.naturalWidth);
  await expect.poll(width).toBe(91);
  await page.getByRole("textbox", { name: "Message", exact: true }).fill("Over HTTP");
  await page.keyboard.press("Enter");
  await expect(page.getByText("Sent via HTTP action: Over HTTP")).toBeVisible();

  await expect(messages(chat).getByRole("img", { name: "Image from User 123" })).toBeVisible();
  await expect(messages(chat).getByText("Sent via HTTP action: Over HTTP")).toBeVisible();
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("a form with pictures is sent, and the browser comes back to the page", async ({ app, page }) => {
    await page.goto(`${app.origin}/http-demo`);
    await page.getByLabel("Your name").fill("Plain Ann");
    await page.getByLabel("Message (optional)").fill("Sent by a form");
    const pictures = [picture("one.png", { width: 91 }), picture("two.png", { width: 92 })];
    await page.getByLabel("Up to three pictures").setInputFiles(pictures);
    await page.getByRole("button", { name: "Send the form" }).click();
    await expect(page.getByRole("status")).toContainText("Sent.");
    await expect(page).toHaveURL(`${app.origin}/http-demo?sent`);
    const { rows } = await app.database.query(
      "SELECT body, format FROM messages WHERE author = 'Plain Ann' ORDER BY _id",
    );
    expect(rows.map(({ format }) => format)).toEqual(["image", "image", "text"]);
    expect(rows.at(-1)).toEqual({ body: "Sent by a form", format: "text" });
  });

  test("a form with too many pictures is refused, and none is kept", async ({ app, page }) => {
    await page.goto(`${app.origin}/http-demo`);
    const count = async () => (await app.database.query("SELECT count(*) FROM _storage")).rows[0].count;
    const before = await count();
    await page.getByLabel("Your name").fill("Too Many");
    const pictures = ["a.png", "b.png", "c.png", "d.png"].map((name) => picture(name));
    await page.getByLabel("Up to three pictures").setInputFiles(pictures);
    await page.getByRole("button", { name: "Send the form" }).click();
    await expect(page.getByRole("heading", { name: "This did not work" })).toBeVisible();
    await expect(page.getByText("takes at most 3 files")).toBeVisible();
    expect(await count()).toBe(before);
  });
});

test("a message that curl posts appears on the open page", async ({ app, visit, request }) => {
  const page = await visit();
  await say(page, "Waiting");
  // curl -d '{"author":"User 123","body":"Hello world"}' -H 'content-type: application/json' …/http/postMessage
  const data = { author: "User 123", body: "Hello world" };
  expect((await request.post(`${app.origin}/http/postMessage`, { data })).status()).toBe(200);
  await expect(messages(page).getByText("Sent via HTTP action: Hello world")).toBeVisible();
  await expect(messages(page).getByText("User 123", { exact: true }).first()).toBeVisible();
});

test("an allowed origin reads the answers to simple and to preflighted requests", async ({ app, sites, visit }) => {
  const page = await visit({ url: `${sites.client}/http-demo` });
  const json = JSON.stringify({ author: "Simple", body: "hello" });
  const text = { method: "POST", headers: { "Content-Type": "text/plain" }, body: json };
  expect(await fetchFrom(page, `${app.origin}/http/postMessage`, text)).toEqual({ status: 200, body: "" });
  const preflighted = { method: "POST", headers: { "Content-Type": "application/json" }, body: json };
  expect(await fetchFrom(page, `${app.origin}/http/postMessage`, preflighted)).toEqual({ status: 200, body: "" });
  expect(await fetchFrom(page, `${app.origin}/http/getMessagesByAuthor?author=Simple`)).toEqual({
    status: 200,
    body: expect.stringMatching(/hello.*hello/),
  });
});

test.describe("with errors that the browser reports", () => {
  test.use({ expectedInConsole: /Failed to load resource|blocked by CORS policy/ });

  test("an allowed origin reads errors too, and may send no other headers than named", async ({
    app,
    sites,
    visit,
  }) => {
    const page = await visit({ url: `${sites.client}/http-demo` });
    expect(await fetchFrom(page, `${app.origin}/http/sendImage`, { method: "POST" })).toMatchObject({
      status: 400,
      body: expect.stringContaining("author"),
    });
    const digest = { method: "POST", headers: { "Content-Type": "image/png", Digest: "sha-256=AAAA" }, body: "png" };
    expect(await fetchFrom(page, `${app.origin}/http/sendImage?author=a`, digest)).toMatchObject({ status: 400 });
    const other = { method: "POST", headers: { "Content-Type": "text/plain", "X-Other": "1" }, body: "{}" };
    expect(await fetchFrom(page, `${app.origin}/http/postMessage`, other)).toEqual(refused);
    expect(await fetchFrom(page, `${app.origin}/http/postMessage`, { method: "PUT", body: "{}" })).toEqual(refused);
  });

  test("cookies are for routes that take credentials, and for pages that send them", async ({ app, sites, visit }) => {
    const page = await visit({ url: `${sites.client}/http-demo` });
    const whoAmI = `${sites.withCredentials}/http/whoAmI`;
    expect(await fetchFrom(page, whoAmI, { method: "POST", credentials: "include" })).toEqual({
      status: 200,
      body: "null",
    });
    await page.context().request.post(`${app.origin}/api/auth/sign-in/anonymous`, {
      data: {},
      headers: { Origin: app.origin },
    });
    expect(await fetchFrom(page, whoAmI, { method: "POST", credentials: "include" })).toMatchObject({
      status: 200,
      body: expect.stringContaining("subject"),
    });
    expect(await fetchFrom(page, whoAmI, { method: "POST" })).toEqual({ status: 200, body: "null" });
    // A shipped route answers this origin, but not for the visitor.
    const list = `${app.origin}/http/getMessagesByAuthor?author=a`;
    expect(await fetchFrom(page, list)).toEqual({ status: 200, body: "[]" });
    expect(await fetchFrom(page, list, { credentials: "include" })).toEqual(refused);
  });

  test("another origin learns nothing, and nothing of it is stored", async ({ app, sites, visit }) => {
    await say(await visit({ name: "Ada" }), "Not for everyone");
    const stranger = sites.client.replace("localhost", "127.0.0.1");
    const page = await visit({ url: `${stranger}/http-demo`, name: "Ada" });
    expect(await fetchFrom(page, `${app.origin}/http/getMessagesByAuthor?author=Ada`)).toEqual(refused);
    const files = async () => (await app.database.query("SELECT count(*) FROM _storage")).rows[0].count;
    const before = await files();
    await page.getByLabel("Send a picture").setInputFiles(picture("photo.png"));
    await expect(page.getByRole("alert").filter({ hasText: "CLIENT_ORIGIN has to name it" })).toBeVisible();
    expect(await files()).toBe(before);
    const whoAmI = `${sites.withCredentials}/http/whoAmI`;
    expect(await fetchFrom(page, whoAmI, { method: "POST", credentials: "include" })).toEqual(refused);
  });
});

import type { Page } from "@playwright/test";
import { choose, expectWidths, messages, pictures } from "../../e2e/demos/chat";
import { picture } from "../../e2e/demos/pictures";
import { expect, test } from "../../e2e/demos/test";

test.use({ expectedInConsole: /Failed to load resource/ });

const failure = (page: Page, fileName: string) => page.getByRole("alert").filter({ hasText: fileName });
const tryAgain = (page: Page, fileName: string) => page.getByRole("button", { name: `Try again to send ${fileName}` });

test("a lost connection is named, and the upload tried again with the same URL", async ({ visit }) => {
  const page = await visit();
  const urls: string[] = [];
  await page.route("**/api/storage/upload*", async (route) => {
    urls.push(route.request().url());
    if (urls.length === 1) await route.abort("connectionreset");
    else await route.continue();
  });
  await choose(page, picture("photo.png", { width: 33 }));
  await expect(failure(page, "photo.png")).toContainText("The connection was lost");
  await tryAgain(page, "photo.png").click();
  await expectWidths(page, [33]);
  expect(urls[1]).toBe(urls[0]);
});

test("an upload whose answer was lost is sent once when it is tried again", async ({ visit }) => {
  const page = await visit();
  let lost = 0;
  await page.route("**/api/storage/upload*", async (route) => {
    const response = await route.fetch();
    if (lost++ === 0) await route.abort("connectionreset");
    else await route.fulfill({ response });
  });
  await choose(page, picture("photo.png", { width: 34 }));
  await tryAgain(page, "photo.png").click();
  await expectWidths(page, [34]);
});

test("an expired URL is replaced when the upload is tried again", async ({ visit }) => {
  const page = await visit();
  const urls: string[] = [];
  await page.route("**/api/storage/upload*", async (route) => {
    urls.push(route.request().url());
    if (urls.length > 1) return route.continue();
    await route.fulfill({ status: 401, json: { code: "StorageTokenExpired", message: "Ask for a new URL" } });
  });
  await choose(page, picture("photo.png", { width: 35 }));
  await expect(failure(page, "photo.png")).toContainText("The upload link has expired");
  await tryAgain(page, "photo.png").click();
  await expectWidths(page, [35]);
  expect(urls[1]).not.toBe(urls[0]);
});

test("a picture that is stored but not saved is only saved when it is tried again", async ({ visit }) => {
  const page = await visit();
  let uploads = 0;
  page.on("request", (request) => {
    if (request.url().includes("/api/storage/upload")) uploads += 1;
  });
  await page.route("**/api/trpc/*sendImage*", (route) => route.abort(), { times: 1 });
  await choose(page, picture("photo.png", { width: 36 }));
  await expect(failure(page, "photo.png")).toContainText("The server cannot be reached");
  await tryAgain(page, "photo.png").click();
  await expectWidths(page, [36]);
  expect(uploads).toBe(1);
});

for (const { status, code, says, final } of [
  { status: 413, code: "FileTooLarge", says: "This file is too large", final: true },
  { status: 415, code: "ContentTypeNotAllowed", says: "Files of this type are not accepted", final: true },
  { status: 507, code: "StorageFull", says: "The server has no space left", final: false },
  { status: 503, code: "StorageUnavailable", says: "The storage cannot be reached", final: false },
  { status: 408, code: "RequestTimeout", says: "The connection was too slow", final: false },
  { status: 500, code: "InternalServerError", says: "The server could not take the file", final: false },
]) {
  test(`${status} ${code} is explained, and ${final ? "can only be removed" : "can be tried again"}`, async ({
    visit,
  }) => {
    const page = await visit();
    await page.route("**/api/storage/upload*", (route) => route.fulfill({ status, json: { code, message: "" } }), {
      times: 1,
    });
    await choose(page, picture("photo.png", { width: 37 }));
    await expect(failure(page, "photo.png")).toContainText(says);
    await expect(tryAgain(page, "photo.png")).toHaveCount(final ? 0 : 1);
    if (!final) await tryAgain(page, "photo.png").click();
    else await page.getByRole("button", { name: "Remove photo.png" }).click();
    await expectWidths(page, final ? [] : [37]);
    await expect(failure(page, "photo.png")).toBeHidden();
  });
}

test("an HTML answer of some proxy is explained by its status", async ({ visit }) => {
  const page = await visit();
  await page.route("**/api/storage/upload*", (route) =>
    route.fulfill({ status: 413, contentType: "text/html", body: "<h1>Too large</h1>" }),
  );
  await choose(page, picture("photo.png"));
  await expect(failure(page, "photo.png")).toContainText("This file is too large");
});

test("a file that is no picture is refused before it is sent, and the others are sent", async ({ visit }) => {
  const page = await visit();
  const notes = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("words") };
  await choose(page, notes, picture("photo.png", { width: 38 }));
  await expect(failure(page, "notes.txt")).toContainText("Only pictures can be sent");
  await expect(tryAgain(page, "notes.txt")).toHaveCount(0);
  await expectWidths(page, [38]);
  await page.getByRole("button", { name: "Remove notes.txt" }).click();
  await expect(failure(page, "notes.txt")).toBeHidden();
  await expect(pictures(page)).toHaveCount(1);
  await expect(messages(page).getByRole("listitem")).toHaveCount(1);
});

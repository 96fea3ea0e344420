import { once } from "node:events";
import { createServer, request } from "node:http";
import { choose, expectWidths, messageBox, messages, say, sent } from "../../e2e/demos/chat";
import { picture } from "../../e2e/demos/pictures";
import { expect, insert, newOrigin, test } from "../../e2e/demos/test";

/** A proxy that passes an answer on only when it has all of it, so it never passes a stream on. */
async function startBufferingProxy(at: string, target: string) {
  const server = createServer((incoming, answer) => {
    const { method, headers, url } = incoming;
    const passed = request(new URL(url ?? "", target), { method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk)).on("error", () => answer.destroy());
      response.on("end", () => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        answer.end(Buffer.concat(chunks));
      });
    });
    passed.on("error", () => answer.destroy());
    answer.on("close", () => passed.destroy());
    incoming.pipe(passed);
  }).listen(Number(new URL(at).port));
  await once(server, "listening");
  return async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
}

test.describe("behind a proxy that holds streams back", () => {
  test.use({ expectedInConsole: /ERR_(EMPTY|INCOMPLETE|CONNECTION|SOCKET)/ });

  test("one's own messages and pictures appear at once, and others' soon", async ({ app, startAnother, visit }) => {
    test.setTimeout(90_000);
    const [origin, target] = [await newOrigin(), await newOrigin()];
    await startAnother(target, { APP_ORIGIN: origin });
    const stop = await startBufferingProxy(origin, target);
    const page = await visit({ url: `${origin}/chat`, name: "Bob" });
    await say(page, "Mine");
    await choose(page, picture("a.png", { width: 10 }));
    await expectWidths(page, [10]);
    await app.database.query(insert("Theirs"));
    await expect(messages(page).getByText("Theirs", { exact: true })).toBeVisible({ timeout: 30_000 });
    await stop();
  });
});

test.describe("with FILES_ORIGIN", () => {
  // The host of the files refuses the pages that the test opens there.
  test.use({ expectedInConsole: /404 \(Not Found\) \(http:\/\/files\.localhost/ });

  test("files have a host of their own: pages show them from there without cookies, and it serves nothing else", async ({
    startAnother,
    visit,
  }) => {
    const origin = await newOrigin();
    const filesOrigin = origin.replace("localhost", "files.localhost");
    await startAnother(origin, { FILES_ORIGIN: filesOrigin });
    const page = await visit({ url: `${origin}/chat`, name: "Ann" });
    const asked: Promise<Record<string, string>>[] = [];
    page.on("request", (request) => void (request.url().startsWith(filesOrigin) && asked.push(request.allHeaders())));
    await choose(page, picture("a.png", { width: 10 }));
    await expectWidths(page, [10]);
    const headers = await Promise.all(asked);
    expect(headers.length).toBeGreaterThan(0);
    expect(headers.filter(({ cookie }) => cookie !== undefined)).toEqual([]);

    const other = await page.context().newPage();
    for (const path of ["/", "/chat", "/api/trpc/messages.list", "/http/getImage", "/dashboard"]) {
      expect([path, (await other.goto(filesOrigin + path))?.status()]).toEqual([path, 404]);
    }
  });
});

test("where pages are told to look now and then, changes appear without a stream", async ({
  app,
  startAnother,
  visit,
}) => {
  const origin = await newOrigin();
  await startAnother(origin, { LIVE_TRANSPORT: "poll" });
  const page = await visit({ url: `${origin}/chat` });
  const streams: string[] = [];
  page.on("request", (sent) => void (sent.url().includes("_kit.changes") && streams.push(sent.url())));
  await say(page, "Mine");
  await app.database.query(insert("Theirs"));
  await expect(messages(page).getByText("Theirs", { exact: true })).toBeVisible();
  expect(streams).toEqual([]);
});

test("under another name than APP_ORIGIN's, pages write and send pictures", async ({ app, visit }) => {
  const { port } = new URL(app.origin);
  const page = await visit({ url: `http://127.0.0.1:${port}/chat` });
  await say(page, "By another name");
  await choose(page, picture("a.png", { width: 12 }));
  await expectWidths(page, [12]);
});

test("in the oldest browsers that are supported, pages work", async ({ visit }) => {
  const page = await visit();
  await page.addInitScript(() => {
    // Functions that Chrome 111 and Safari 16.4 lack.
    Reflect.deleteProperty(AbortSignal, "any");
    Reflect.deleteProperty(URL, "canParse");
    Reflect.deleteProperty(Promise, "withResolvers");
    Reflect.deleteProperty(Object, "groupBy");
    Reflect.deleteProperty(Array, "fromAsync");
    for (const name of ["toSorted", "toReversed", "toSpliced", "with"]) Reflect.deleteProperty(Array.prototype, name);
    for (const name of ["union", "intersection", "difference"]) Reflect.deleteProperty(Set.prototype, name);
  });
  await page.goto("/chat");
  await say(page, "From long ago");
  await choose(page, picture("a.png", { width: 14 }));
  await expectWidths(page, [14]);
  await page.goto("/files");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
});

test("Enter that ends a composition sends nothing; the next one sends the text", async ({ visit }) => {
  const page = await visit();
  await messageBox(page).fill("にほん");
  // Safari reports the end of the composition before the Enter key. So this Enter is no longer part of the composition, and
  // only its key code shows that it was.
  const prevented = await messageBox(page).evaluate((box) => {
    const options = { key: "Enter", keyCode: 229, bubbles: true, cancelable: true };
    return !box.dispatchEvent(new KeyboardEvent("keydown", options));
  });
  expect(prevented).toBe(false);
  await expect(messageBox(page)).toHaveValue("にほん");
  await messageBox(page).press("Enter");
  await expect(sent(page).getByText("にほん", { exact: true })).toBeVisible();
});

test("a picture that browsers do not show is refused in a sentence, before a byte of it is sent", async ({ visit }) => {
  const page = await visit();
  const uploads: string[] = [];
  page.on("request", (sent) => void (sent.method() === "POST" && uploads.push(sent.url())));
  await choose(page, { name: "IMG_1.HEIC", mimeType: "image/heic", buffer: Buffer.from("a picture of a phone") });
  await expect(messages(page).getByText(/do not show image\/heic.*JPEG/)).toBeVisible();
  expect(uploads.filter((url) => url.includes("/api/storage/") || url.includes("generateUploadUrl"))).toEqual([]);
});

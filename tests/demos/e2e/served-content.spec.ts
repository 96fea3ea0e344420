import type { BrowserContext, Page } from "@playwright/test";
import { test as chat, expect } from "../../e2e/demos/test";
import { expectDuration, pdf, pixel, red, wav, webm } from "./media";

interface Fixtures {
  /** A visitor, with a cookie that scripts of the app can read. */
  context: BrowserContext;
  /** Stores a file as the visitor and returns its URL. */
  serve: (bytes: Buffer | string, contentType?: string) => Promise<string>;
}

const test = chat.extend<Fixtures>({
  context: async ({ app, browser }, use) => {
    const context = await browser.newContext({ baseURL: app.origin, extraHTTPHeaders: { Origin: app.origin } });
    await context.addCookies([{ name: "readable", value: "secret", url: app.origin }]);
    await context.request.post("/api/auth/sign-in/anonymous", { data: {} });
    await context.setExtraHTTPHeaders({});
    await use(context);
    await context.close();
  },

  serve: async ({ app, context }, use) => {
    const call = async (procedure: string, input: object, method: "get" | "post" = "post"): Promise<string> => {
      const options =
        method === "get" ? { params: { input: JSON.stringify({ json: input }) } } : { data: { json: input } };
      const headers = { Origin: app.origin };
      const response = await context.request[method](`/api/trpc/files.${procedure}`, { ...options, headers });
      expect(response.status(), await response.text()).toBe(200);
      return (await response.json()).result.data.json;
    };
    await use(async (bytes, contentType = "") => {
      const url = await call("generateUploadUrl", {});
      const upload = await context.request.post(url, { data: bytes, headers: { "Content-Type": contentType } });
      const { storageId } = await upload.json();
      await call("saveFile", { storageId, name: "file" });
      return call("getUrl", { storageId }, "get");
    });
  },
});

/** Opens the URL. A file that is not shown is downloaded. */
async function open(page: Page, url: string): Promise<"shown" | "downloaded"> {
  const download = page.waitForEvent("download").then(() => "downloaded" as const);
  const shown = page.goto(url).then(
    () => "shown" as const,
    () => download,
  );
  return Promise.race([shown, download]);
}

const script = "fetch('/ran?' + encodeURIComponent(document.cookie)); document.title = 'ran'";
const html = `<!doctype html><title>file</title><img src=x onerror="${script}"><script>${script}</script>`;
const namespace = "http://www.w3.org/1999/xhtml";
const gif = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");

const hostile: [string, string | undefined, Buffer | string, "shown" | "downloaded"][] = [
  ["HTML", "text/html", html, "downloaded"],
  ["HTML with a charset", "text/html; charset=utf-7", html, "downloaded"],
  ["HTML without a type", undefined, html, "downloaded"],
  ["HTML of an unknown type", "application/x-unknown", html, "downloaded"],
  ["XHTML", "application/xhtml+xml", `<html xmlns="${namespace}"><script>${script}</script></html>`, "downloaded"],
  ["SVG", "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg" onload="${script}"/>`, "downloaded"],
  ["XML", "text/xml", `<x:script xmlns:x="${namespace}">${script}</x:script>`, "downloaded"],
  ["JavaScript", "text/javascript", script, "downloaded"],
  ["HTML that says it is text", "text/plain", html, "shown"],
  ["HTML that says it is an image", "image/png", html, "shown"],
  ["HTML that says it is a video", "video/mp4", html, "shown"],
  ["HTML behind a GIF's header", "image/gif", Buffer.concat([gif, Buffer.from(html)]), "shown"],
  ["a GIF that is a script", "image/gif", Buffer.from(`GIF89a=1;${script}`), "shown"],
  ["HTML behind a PDF's header", "application/pdf", `%PDF-1.4\n${html}`, "shown"],
];

test.describe("a file opened by its URL", () => {
  for (const [name, contentType, bytes, expected] of hostile) {
    test(`${name}: ${expected}, runs no script and reads no cookie`, async ({ app, context, serve }) => {
      const ran: string[] = [];
      context.on("request", (request) => {
        if (request.url().includes("/ran")) ran.push(request.url());
      });
      const url = await serve(bytes, contentType);
      const page = await context.newPage();
      expect(await open(page, url)).toBe(expected);
      if (expected === "shown" && contentType !== "application/pdf") {
        expect(await page.title()).not.toBe("ran");
        const seen = await page.evaluate(() => {
          try {
            return document.cookie;
          } catch (error) {
            return String(error);
          }
        });
        expect(seen).toContain("SecurityError");
      }

      // In a frame of the app itself, where scripts have its cookies.
      const frame = await context.newPage();
      await frame.route("**/frame", (route) =>
        route.fulfill({ contentType: "text/html", body: `<iframe src="${url}"></iframe><p>framed</p>` }),
      );
      await frame.goto(`${app.origin}/frame`);
      expect(await frame.evaluate(() => document.cookie)).toContain("readable=secret");
      await expect(frame.getByText("framed")).toBeVisible();
      expect(ran).toEqual([]);
    });
  }

  test("HTML without our headers: would run, so that these tests see it", async ({ app, context }) => {
    const page = await context.newPage();
    const ran = page.waitForRequest(/\/ran\?readable%3Dsecret/);
    await page.route("**/unguarded", (route) => route.fulfill({ contentType: "text/html", body: html }));
    await page.goto(`${app.origin}/unguarded`);
    await ran;
  });

  test("text: is shown as it is", async ({ context, serve }) => {
    const page = await context.newPage();
    await page.goto(await serve("<b>plain</b>", "text/plain; charset=utf-8"));
    await expect(page.getByText("<b>plain</b>")).toBeVisible();
  });

  test("an image: is shown", async ({ context, serve }) => {
    const page = await context.newPage();
    await page.goto(await serve(gif, "image/gif"));
    expect(await page.evaluate(() => document.images[0]?.naturalWidth)).toBe(1);
  });

  test("a PDF: the browser's viewer shows it", async ({ context, serve }) => {
    const page = await context.newPage();
    await page.setViewportSize({ width: 400, height: 400 });
    await page.goto(await serve(pdf, "application/pdf"));
    await expect.poll(() => pixel(page, 200, 200)).toEqual(red);
  });

  test("audio: plays, and can be sought in", async ({ context, serve }) => {
    const page = await context.newPage();
    await page.goto(await serve(wav(60), "audio/wav"));
    await expectDuration(page, 60);
    await expectSeek(page, 50);
  });

  test("a video: plays, and can be sought in", async ({ context, serve }) => {
    const page = await context.newPage();
    await page.goto(await serve(webm, "video/webm"));
    await expectDuration(page, 4);
    await expectSeek(page, 3);
  });
});

/** Plays the 300 seconds at `url` in a page of the origin, and seeks in them. */
async function expectSeekable(page: Page, origin: string, url: string): Promise<void> {
  const answers: (string | undefined)[] = [];
  page.on("response", (response) => {
    if (response.url() === url) answers.push(`${response.status()} ${response.headers()["content-range"]}`);
  });
  const body = `<video src="${url}" preload="metadata" muted controls></video>`;
  await page.route("**/player", (route) => route.fulfill({ contentType: "text/html", body }));
  await page.goto(`${origin}/player`);
  await expectDuration(page, 300);
  await expectSeek(page, 290);
  await expectSeek(page, 10);
  expect(answers.filter((answer) => answer?.startsWith("206 bytes ")).length).toBeGreaterThan(1);
}

test("a file in a <video> of a page: can be sought in, by ranges", async ({ app, context, serve }) => {
  const url = await serve(wav(300), "audio/wav");
  await expectSeekable(await context.newPage(), app.origin, url);
});

test("a file that an HTTP action checks for each request: plays and can be sought in, for its owner alone", async ({
  app,
  browser,
  context,
  serve,
}) => {
  const [, storageId] = /storage\/([^/]+)/.exec(await serve(wav(300), "audio/wav")) ?? [];
  const url = `${app.origin}/http/getPrivateImage?storageId=${storageId}`;
  await expectSeekable(await context.newPage(), app.origin, url);

  const part = await context.request.get(url, { headers: { Range: "bytes=0-99" } });
  expect([part.status(), part.headers()["content-length"]]).toEqual([206, "100"]);
  const head = await context.request.head(url);
  expect([head.status(), head.headers()["content-length"]]).toEqual([200, String(wav(300).length)]);
  expect((await (await browser.newContext()).request.get(url)).status()).toBe(404);
});

async function expectSeek(page: Page, seconds: number): Promise<void> {
  const media = page.locator("video, audio");
  await media.evaluate((media: HTMLMediaElement, seconds) => {
    media.pause();
    media.currentTime = seconds;
  }, seconds);
  const state = () =>
    media.evaluate(({ seeking, readyState, currentTime }: HTMLMediaElement) => ({
      seeking,
      ready: readyState >= HTMLMediaElement.HAVE_CURRENT_DATA,
      currentTime,
    }));
  await expect.poll(state).toEqual({ seeking: false, ready: true, currentTime: seconds });
}

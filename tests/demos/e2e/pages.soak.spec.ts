import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import { devices } from "@playwright/test";
import { expect } from "../../e2e/demos/test";
import { test } from "./administer";
import { expectNoViolations } from "./axe";

// Opens every page as people do: nothing moves, the console shows no message, and the browser requests nothing that it
// already has.

const dashboard = ["", "/data", "/data?table=messages", "/files", "/functions", "/functions?name=messages.sendMessage"];
dashboard.push("/schedule", "/logs", "/users", "/settings", "/api");
const paths = ["/", "/chat", "/files", "/gallery", "/http-demo", "/sign-in", "/account", "/nothing"];
paths.push(...dashboard.map((path) => `/dashboard${path}`));

declare global {
  interface Window {
    /** How far things have moved: https://web.dev/cls */
    moved: number;
  }
}

test.use({ expectedInConsole: /status of 404.*nothing/ });

for (const [device, options] of Object.entries({ "a desktop": {}, "a phone": devices["iPhone 14"] })) {
  for (const path of paths) {
    test(`${path} on ${device}`, async ({ app, request, administer }) => {
      const upload = await app.api.files.generateUploadUrl.mutate({});
      await request.post(upload, { headers: { "Content-Type": "text/plain" }, data: "a file" });
      await app.api.messages.sendMessage.mutate({ author: "Ada", body: "A message" });

      const page = await administer("/icon.svg", options);
      await page.addInitScript(() => {
        window.moved = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) window.moved += (entry as PerformanceEntry & { value: number }).value;
        }).observe({ type: "layout-shift", buffered: true });
      });
      const asked: string[] = [];
      page.on("request", (sent) => {
        const { pathname, search } = new URL(sent.url());
        // Charts and the log refetch regularly, and the account that was just made may change the list of users.
        if (/^\/api\/trpc\/(?!_kit)/.test(pathname) && !/calls\.list|overview|users\.list/.test(pathname))
          asked.push(pathname + search);
      });
      // The last thing that a page does when the browser has taken over.
      const isLive = page.waitForRequest(/_kit\.changes/);
      await page.goto(path);
      await isLive;
      await expect(page.getByRole("banner").getByRole("link", { name: "Start" })).toBeVisible();
      await expect(page.getByRole("heading", { level: 1 })).toBeAttached();
      expect(await page.evaluate(() => window.moved)).toBeLessThan(0.001);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
        page.viewportSize()?.width ?? 0,
      );
      expect(asked).toEqual([]);
      if (process.env.SCREENSHOTS) {
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          const name = `${path.replaceAll(/\W+/g, "-")}-${device.slice(2)}-${colorScheme}.png`;
          await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}` });
        }
      }
      await expectNoViolations(page);
    });
  }
}

test("a page for everyone names at most 215 KiB of scripts", async ({ app, request }) => {
  const sizes: [string, number][] = [];
  for (const path of paths.filter((path) => !/^\/(dashboard|account|nothing)/.test(path))) {
    const page = (await (await request.get(app.origin + path)).text()).replace(/<script [^>]*noModule[^>]*>/gi, "");
    const scripts = new Set(page.match(/\/_next\/static\/chunks\/[\w~.-]+?\.js/g));
    expect(scripts.size).toBeGreaterThan(5);
    const bodies = await Promise.all(
      [...scripts].map(async (script) => (await request.get(app.origin + script)).body()),
    );
    sizes.push([path, Math.round(bodies.reduce((sum, body) => sum + gzipSync(body).length, 0) / 1024)]);
  }
  expect(sizes.filter(([, size]) => size > 215)).toEqual([]);
});

test("who is signed in is asked once, however many pages a person goes to", async ({ administer }) => {
  const page = await administer("/icon.svg");
  let asked = 0;
  page.on("request", (sent) => {
    if (sent.url().endsWith("/api/auth/get-session")) asked += 1;
  });
  await page.goto("/");
  for (const name of ["Chat", "Files", "Gallery", "Start"]) {
    await page.getByRole("banner").getByRole("link", { name, exact: true }).click();
    await expect(page).toHaveTitle(name === "Start" ? "next-trpc-storage" : name);
  }
  expect(asked).toBe(1);
});

test("looking at the files without being signed in leaves no refusal in the log", async ({ app, visit }) => {
  const page = await visit({ url: "/files" });
  await expect(page.getByText("No files yet")).toBeVisible();
  // The log is written a little later. What is called last is written last.
  await app.api.files.getMetadata.query({ storageId: randomUUID() });
  const calls = async (more: string) =>
    (await app.database.query(`SELECT "function" FROM _calls WHERE "function" LIKE 'files.%' AND ${more}`)).rows;
  await expect.poll(() => calls(`"function" = 'files.getMetadata'`)).toHaveLength(1);
  expect(await calls(`"outcome" <> 'ok'`)).toEqual([]);
});

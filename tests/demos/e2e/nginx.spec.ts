import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { choose, expectWidths, messages, say } from "../../e2e/demos/chat";
import { picture } from "../../e2e/demos/pictures";
import { expect, insert, newOrigin, test } from "../../e2e/demos/test";
import { connect, freePort } from "../../kit/e2e/app";
import { hasNginx, runNginx } from "../../kit/stand-ins/nginx";
import { blocks } from "../docs/pages";

// The configuration that docs/deploying.md shows, with other ports.

const [shown] = blocks.filter(({ language }) => language === "nginx");

/** Asks nginx for something, as a client with connections of its own. */
function ask(port: number, path: string, options: { method?: string; headers?: Record<string, string> } = {}) {
  return new Promise<{ status: number; headers: IncomingMessage["headers"]; sent: ClientRequest }>(
    (resolve, reject) => {
      const sent = request({ port, path, agent: false, ...options }, (answer) => {
        answer.on("error", () => undefined).resume();
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, sent });
      });
      sent.on("error", reject).end();
    },
  );
}

test("behind nginx as the documentation configures it, everything works under the proxy's name", async ({
  app,
  startAnother,
  visit,
}) => {
  test.skip(!hasNginx, "nginx is not installed (apt install nginx).");
  test.setTimeout(90_000);
  const [listen, inner] = [await freePort(), new URL(await newOrigin())];
  const origin = `http://files.localhost:${listen}`;
  await startAnother(inner.origin, { APP_ORIGIN: origin, TRUST_PROXY: "1", RATE_LIMIT_SIGN_IN: "3" });
  const configuration = (shown?.code ?? "")
    .replace("listen 80;", `listen 127.0.0.1:${listen};`)
    .replace("127.0.0.1:3000", `127.0.0.1:${inner.port}`);
  const nginx = await runNginx(configuration, listen);

  // Writing, pictures, and changes of others by the stream.
  const polls: string[] = [];
  const page = await visit({ url: `${origin}/chat`, name: "Bob" });
  await say(page, "Mine");
  await choose(page, picture("a.png", { width: 10 }));
  await expectWidths(page, [10]);
  page.on("request", (sent) => void (sent.url().includes("messages.list") && polls.push(sent.url())));
  await app.database.query(insert("Theirs"));
  await expect(messages(page).getByText("Theirs", { exact: true })).toBeVisible();
  expect(polls.length).toBeLessThan(4);
  const api = connect(`http://127.0.0.1:${listen}`);
  const { page: sent } = await api.messages.list.query();
  expect(sent.find(({ format }) => format === "image")?.url).toContain(`${origin}/api/storage/`);
  // A body that is larger than nginx accepts by default.
  const { pathname, search } = new URL(await api.files.generateUploadUrl.mutate({}));
  const body = new Uint8Array(12 * 1024 * 1024);
  const uploaded = await fetch(`http://127.0.0.1:${listen}${pathname}${search}`, { method: "POST", body });
  expect([uploaded.status, await uploaded.json()]).toEqual([200, { storageId: expect.any(String) }]);

  // Limits count the address that nginx saw, and requests have nginx's id, whatever the client says.
  const joins: number[] = [];
  for (let n = 0; n < 4; n++) {
    const headers = {
      "x-forwarded-for": `198.51.100.${n}`,
      "content-type": "application/json",
      "x-request-id": "mine",
    };
    const answer = await ask(listen, "/api/auth/sign-in/anonymous", { method: "POST", headers });
    expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f]{32}$/);
    joins.push(answer.status);
  }
  expect(joins.filter((status) => status === 429).length).toBeGreaterThan(0);

  // One address has a hundred requests under way.
  const streams = Array.from({ length: 110 }, () => ask(listen, "/api/trpc/_kit.changes?input=%7B%7D"));
  const opened = await Promise.all(streams);
  expect(opened.filter(({ status }) => status === 503).length).toBeGreaterThan(5);
  expect(opened.filter(({ status }) => status === 200).length).toBeGreaterThan(80);
  for (const { sent } of opened) sent.destroy();
  await page.close();
  await nginx.stop();
});

test("idle connections outlive those of balancers, unless the setting says otherwise", async ({
  app,
  startAnother,
}) => {
  const keepAlive = async (port: string) =>
    (await ask(Number(port), "/api/health/live", { headers: { connection: "keep-alive" } })).headers["keep-alive"];
  // The first answers still name the time of Node.js. Their connections are kept as long as the others.
  await expect.poll(() => keepAlive(new URL(app.origin).port)).toBe("timeout=70");
  const origin = await newOrigin();
  await startAnother(origin, { KEEP_ALIVE_TIMEOUT: "9000" });
  await expect.poll(() => keepAlive(new URL(origin).port)).toBe("timeout=9");
});

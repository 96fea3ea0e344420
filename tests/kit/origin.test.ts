import { afterEach, describe, expect, test, vi } from "vitest";
import { isForeign, publicOrigin } from "~/kit/http/origin";
import { env } from "~/kit/process/env";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const withoutOrigin = () => vi.spyOn(env, "APP_ORIGIN", "get").mockReturnValue(undefined);

describe("publicOrigin", () => {
  test.each<[string, HeadersInit, string]>([
    ["the host asked for", { host: "192.168.1.2:3000" }, "http://192.168.1.2:3000"],
    [
      "what a tunnel was asked for",
      { host: "localhost:3000", "x-forwarded-host": "a.ngrok.app", "x-forwarded-proto": "https" },
      "https://a.ngrok.app",
    ],
    [
      "the first of what several proxies say",
      { host: "c", "x-forwarded-host": "a.test, b.test", "x-forwarded-proto": "https,http" },
      "https://a.test",
    ],
    ["localhost where nothing is said", {}, "http://localhost:3000"],
    ["the host where a proxy says nothing in its header", { host: "a.test", "x-forwarded-host": " " }, "http://a.test"],
  ])("without APP_ORIGIN, in development: %s", (_, headers, origin) => {
    withoutOrigin();
    expect(publicOrigin(new Headers(headers))).toBe(origin);
  });

  test("APP_ORIGIN wherever it is set, whatever the request says", () => {
    const headers = new Headers({ host: "evil.test", "x-forwarded-host": "evil.test" });
    expect(publicOrigin(headers)).toBe("http://app.test");
  });

  describe("on Vercel without APP_ORIGIN", () => {
    const deployment = (stage: string) => {
      withoutOrigin();
      vi.stubEnv("VERCEL", "1");
      vi.stubEnv("VERCEL_ENV", stage);
      vi.stubEnv("VERCEL_URL", "app-123.vercel.app");
      vi.stubEnv("VERCEL_BRANCH_URL", "app-git-topic.vercel.app");
      vi.stubEnv("VERCEL_PROJECT_PRODUCTION_URL", "files.example.com");
    };

    test.each([
      ["production", "files.example.com", "https://files.example.com"],
      ["production", "app-123.vercel.app", "https://app-123.vercel.app"],
      ["production", "evil.test", "https://files.example.com"],
      ["preview", "app-git-topic.vercel.app", "https://app-git-topic.vercel.app"],
      ["preview", "app-123.vercel.app", "https://app-123.vercel.app"],
      ["preview", "evil.test", "https://app-git-topic.vercel.app"],
      // A preview never says that it is production.
      ["preview", "files.example.com", "https://app-git-topic.vercel.app"],
    ])("%s, asked as %s: %s", (stage, host, origin) => {
      deployment(stage);
      expect(publicOrigin(new Headers({ "x-forwarded-host": host }))).toBe(origin);
    });

    test("a deployment of no branch is where it was deployed", () => {
      deployment("preview");
      vi.stubEnv("VERCEL_BRANCH_URL", "");
      expect(publicOrigin(new Headers())).toBe("https://app-123.vercel.app");
    });
  });
});

describe("a page that the app served writes, whatever the app is called there", () => {
  const names = [
    "https://www.app.test",
    "http://127.0.0.1:3000",
    "http://192.168.1.2:3000",
    "https://a-3000.app.github.dev",
  ];

  test.each(names)("%s, by what browsers say of the page", (origin) => {
    const headers = new Headers({ origin, host: "localhost:3000", "sec-fetch-site": "same-origin" });
    expect(isForeign({ method: "POST", headers })).toBe(false);
  });

  test.each(names)("%s, in a browser that says only the page's origin", (origin) => {
    const { host } = new URL(origin);
    expect(isForeign({ method: "POST", headers: new Headers({ origin, host }) })).toBe(false);
    const forwarded = { origin, host: "localhost:3000", "x-forwarded-host": `${host}, proxy.test` };
    expect(isForeign({ method: "POST", headers: new Headers(forwarded) })).toBe(false);
  });

  test.each([
    ["http://www.example.com", "WWW.Example.com"],
    ["http://example.com", "example.com:80"],
    ["https://example.com", "example.com:443"],
    ["http://[::1]:3000", "[::1]:3000"],
  ])("%s, whose host a proxy writes as %s", (origin, host) => {
    expect(isForeign({ method: "POST", headers: new Headers({ origin, host }) })).toBe(false);
  });

  test.each([
    ["http://evil.test", "app.test@evil.test"],
    ["http://evil.test", "app.test"],
    ["http://app.test:8080", "app.test"],
    ["https://app.test", "app.test:80"],
    ["http://a", "a b"],
  ])("%s does not, where the request is for %s", (origin, host) => {
    expect(isForeign({ method: "POST", headers: new Headers({ origin, "x-forwarded-host": host }) })).toBe(true);
  });

  test.each(names)("another site's page does not, at %s", (origin) => {
    const { host } = new URL(origin);
    const headers = (site?: string) =>
      new Headers({ origin: "https://evil.test", host, ...(site && { "sec-fetch-site": site }) });
    for (const site of ["cross-site", "same-site", undefined]) {
      expect(isForeign({ method: "POST", headers: headers(site) })).toBe(true);
    }
  });
});

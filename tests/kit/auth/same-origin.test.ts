import { expect, test } from "vitest";
import { isForeign } from "~/kit/http/origin";

const other = "https://other.test";

test.each<[string, string, HeadersInit, boolean]>([
  ["POST of the app's own page", "POST", { origin: "http://app.test", "sec-fetch-site": "same-origin" }, false],
  ["POST of another site's page", "POST", { origin: other, "sec-fetch-site": "cross-site" }, true],
  ["POST of a page that hides its origin", "POST", { origin: "null" }, true],
  ["POST of another port's page", "POST", { origin: "http://app.test:8080", "sec-fetch-site": "same-site" }, true],
  ["POST without an origin, from another site", "POST", { "sec-fetch-site": "cross-site" }, true],
  ["POST without an origin, from a sibling host", "POST", { "sec-fetch-site": "same-site" }, true],
  ["POST without an origin, from the app itself", "POST", { "sec-fetch-site": "same-origin" }, false],
  ["POST of the address bar", "POST", { "sec-fetch-site": "none" }, false],
  ["POST of no browser", "POST", {}, false],
  ["DELETE of another site's page", "DELETE", { origin: other }, true],
  ["GET of another site's page", "GET", { origin: other, "sec-fetch-site": "cross-site" }, false],
])("isForeign: %s", (_, method, headers, foreign) => {
  expect(isForeign({ method, headers: new Headers(headers) })).toBe(foreign);
});

test("isForeign: POST of a page whose origin is trusted", () => {
  const headers = new Headers({ origin: other });
  expect(isForeign({ method: "POST", headers, trusts: (origin) => origin === other })).toBe(false);
});

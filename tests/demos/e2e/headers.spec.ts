import { expect, test } from "../../e2e/demos/test";

test.describe("pages", () => {
  for (const path of ["/", "/chat", "/files", "/http-demo", "/sign-in", "/dashboard/files", "/no-such-page"]) {
    test(`${path} cannot be framed, nor guessed about`, async ({ app, request }) => {
      const headers = (await request.get(app.origin + path)).headers();
      expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(headers["referrer-policy"]).toBe("strict-origin-when-cross-origin");
      expect(headers["permissions-policy"]).toContain("camera=()");
    });
  }

  test("are for https alone once they came over it", async ({ app, request }) => {
    const over = async (proto: string) =>
      (await request.get(app.origin, { headers: { "X-Forwarded-Proto": proto } })).headers()[
        "strict-transport-security"
      ];
    expect(await over("https")).toContain("max-age=");
    expect(await over("http")).toBeUndefined();
  });
});

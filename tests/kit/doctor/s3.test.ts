import type { IncomingMessage } from "node:http";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { Finding } from "~/kit/doctor/finding";
import { limits } from "~/kit/process/limits";
import { type S3Store, startS3 } from "../stand-ins/s3";

let store: S3Store;
let examineStore: (origin: string) => Promise<Finding[]>;

beforeAll(async () => {
  store = await startS3();
  Object.assign(process.env, { STORAGE_DRIVER: "s3", AWS_MAX_ATTEMPTS: "1", ...store.settings });
  ({ examineStore } = await import("~/kit/doctor/store"));
});
afterAll(() => store.stop());
afterEach(() => {
  store.intercept = () => undefined;
  vi.restoreAllMocks();
});

async function findings() {
  vi.spyOn(console, "error").mockReturnValue();
  const found = await examineStore("https://files.example.com");
  return Object.fromEntries(found.filter(({ state }) => state !== "ok").map((each) => [each.check, each]));
}

const refuse = (code: string, status = 403) => ({
  status,
  headers: { "Content-Type": "application/xml" },
  body: `<Error><Code>${code}</Code><Message>Said the stand-in</Message></Error>`,
});
const refusing =
  (methods: string[], code = "AccessDenied") =>
  (request: IncomingMessage) =>
    methods.includes(request.method ?? "") ? refuse(code) : undefined;

test("a sound bucket has no findings, and keeps nothing", async () => {
  expect(await findings()).toEqual({});
  expect(await store.count()).toEqual({ blobs: 0, uploads: 0 });
});

test("a bucket without CORS is named with the rules", async () => {
  store.intercept = refusing(["OPTIONS"]);
  const { "Store: CORS": found, ...others } = await findings();
  expect(found?.message).toContain("https://files.example.com");
  const [, rules = ""] = /--cors-configuration '(.*)'$/s.exec(found?.fix ?? "") ?? [];
  expect(JSON.parse(rules)).toMatchObject({
    CORSRules: [{ AllowedOrigins: ["https://files.example.com"], AllowedMethods: ["GET", "HEAD", "PUT"] }],
  });
  expect(others).toEqual({});
});

test("another region is named with the setting", async () => {
  store.intercept = () => ({ status: 301, headers: { "x-amz-bucket-region": "eu-central-1" } });
  const { "Store: connection": found } = await findings();
  expect(found).toMatchObject({ message: expect.stringContaining("eu-central-1"), fix: "S3_REGION=eu-central-1" });
});

test.each([
  ["read-only", ["PUT", "POST", "DELETE"], ["s3:PutObject", "s3:DeleteObject"], "Store: write"],
  ["without the permission to delete", ["DELETE"], ["s3:DeleteObject", "s3:AbortMultipartUpload"], "Store: delete"],
  ["without the permission to read", ["GET", "HEAD"], ["s3:GetObject", "s3:ListBucket"], "Store: connection"],
])("a bucket that is %s is named with the policy", async (_, methods, permissions, check) => {
  store.intercept = refusing(methods);
  const found = await findings();
  expect(found[check]).toMatchObject({ state: "problem" });
  const { fix = "", message } = found["Store: permissions"] ?? found[check] ?? {};
  const policy = JSON.parse(fix.slice(fix.indexOf("{")));
  for (const permission of permissions) expect(JSON.stringify(policy)).toContain(permission);
  if (found["Store: permissions"]) for (const permission of permissions) expect(message).toContain(permission);
});

test("a bucket that is not there, a clock that is wrong, and wrong credentials are named", async () => {
  store.intercept = () => refuse("NoSuchBucket", 404);
  expect((await findings())["Store: connection"]?.fix).toContain("aws s3 mb s3://files");
  store.intercept = ({ method }) => (method === "PUT" ? refuse("RequestTimeTooSkewed") : undefined);
  expect((await findings())["Store: write"]?.fix).toContain("timedatectl");
  store.intercept = ({ method }) => (method === "PUT" ? refuse("SignatureDoesNotMatch") : undefined);
  const { "Store: write": found } = await findings();
  expect(found?.fix).toContain("AWS_SECRET_ACCESS_KEY");
  expect(JSON.stringify(found)).not.toContain(store.settings.AWS_SECRET_ACCESS_KEY);
});

test("a store that is silent is named in time", async () => {
  store.intercept = () => "silence";
  limits.checkMs = 500;
  const { "Store: connection": found } = await findings();
  expect(found).toMatchObject({ state: "problem", message: "There is no answer in 0.5 s." });
});

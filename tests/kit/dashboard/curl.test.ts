import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { curlOf, curlOfRequest } from "~/kit/dashboard/pages/curl";

const origin = "http://localhost:3000";
const nasty = `it's $HOME \`id\` "q" \\ \n`;

/** Splits a command as a shell would, without running it. */
function words(command: string): string[] {
  const printed = execFileSync("sh", ["-c", `token=t; printf '%s\\0' ${command}`], { encoding: "utf8" });
  return printed.split("\0").slice(0, -1);
}

describe("curlOf", () => {
  test("a mutation, whatever is in its arguments", () => {
    const args = { body: nasty };
    const command = curlOf({ origin, fn: { name: "messages.send", kind: "mutation" }, args, isSignedIn: true });
    const header = ["-H", "Authorization: Bearer t", "-H", "Content-Type: application/json"];
    const json = JSON.stringify({ json: args });
    expect(words(command)).toEqual(["curl", "-s", `${origin}/api/trpc/messages.send`, ...header, "-d", json]);
  });

  test("a query", () => {
    const command = curlOf({ origin, fn: { name: "files.list", kind: "query" }, args: {}, isSignedIn: false });
    const input = 'input={"json":{}}';
    expect(words(command)).toEqual(["curl", "-s", "-G", `${origin}/api/trpc/files.list`, "--data-urlencode", input]);
  });
});

test("curlOfRequest: method, path, type and body", () => {
  const request = { method: "POST", path: "/a?b=c&d", contentType: "text/plain", body: nasty };
  expect(words(curlOfRequest({ origin, request, isSignedIn: false }))).toEqual([
    ...["curl", "-i", "-X", "POST", `${origin}/http/a?b=c&d`, "-H", "Content-Type: text/plain"],
    ...["--data-binary", nasty],
  ]);
});

import type { HttpRequest } from "./run-form";
import type { Fn } from "./schema-fields";

interface Call {
  /** For example `https://files.example.com`. */
  origin: string;
  fn: Pick<Fn, "name" | "kind">;
  args: Record<string, unknown>;
  /** Whether the call needs a token. docs/functions.md says how a script gets one. */
  isSignedIn: boolean;
}

/** The command that calls a function from a terminal. */
export function curlOf({ origin, fn: { name, kind }, args, isSignedIn }: Call): string {
  const json = JSON.stringify({ json: args });
  const isQuery = kind === "query";
  const parts = [
    `curl -s ${isQuery ? "-G " : ""}${quoted(`${origin}/api/trpc/${name}`)}`,
    ...(isSignedIn ? [authorization] : []),
    ...(isQuery ? [] : ["-H 'Content-Type: application/json'"]),
    isQuery ? `--data-urlencode ${quoted(`input=${json}`)}` : `-d ${quoted(json)}`,
  ];
  return parts.join(" \\\n  ");
}

/** The command that sends a request to an HTTP action. */
export function curlOfRequest({
  origin,
  request,
  isSignedIn,
}: {
  origin: string;
  request: HttpRequest;
  isSignedIn: boolean;
}) {
  const { method, path, contentType, body } = request;
  const parts = [
    `curl -i -X ${method} ${quoted(`${origin}/http${path}`)}`,
    ...(isSignedIn ? [authorization] : []),
    ...(contentType ? [`-H ${quoted(`Content-Type: ${contentType}`)}`] : []),
    ...(body ? [`--data-binary ${quoted(body)}`] : []),
  ];
  return parts.join(" \\\n  ");
}

const authorization = '-H "Authorization: Bearer $token"';

/** Quotes a text as one word for a shell. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

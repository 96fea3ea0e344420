/** Quotes a value that came from outside in an error: as JSON, and cut to fit on a line. */
export function quote(value: unknown, maxLength = 100): string {
  const text = typeof value === "string" ? value : String(value);
  return JSON.stringify(text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`);
}

/** Cuts a message that is answered or logged. A message that quotes its input may be as long as the input. */
export const shorten = (message: string, maxLength = 1_000): string =>
  message.length <= maxLength
    ? message
    : `${message.slice(0, maxLength)}… (${message.length - maxLength} more characters)`;

// Each pattern takes linear time, because the text may be user-supplied.
const secrets = [
  // Tokens that the kit signs: upload tokens, receipts and, with three parts, JSON Web Tokens.
  /(?<![\w-])[\w-]{16,}\.(?:[\w-]+\.)?[\w-]{43,}/g,
  // The signature in a file URL.
  /(?<=\/api\/storage\/[0-9a-f-]{36}\/)[\w-]{43}/g,
  // Signed URLs of blob stores, and other secrets in query parameters.
  /(?<=[?&](?:[\w-]*(?:token|signature|credential|secret|key)|sig|code)=)[^\s&"'<>]+/gi,
  /(?<=\b(?:bearer|basic) )[\w.~+/=-]+/gi,
  /(?<=session_token=)[^\s;"']+/gi,
  // The password of a database URL.
  /(?<=:\/\/[^\s:/@]*:)[^\s/@]+(?=@)/g,
];

/** Removes everything with which a reader could act for someone else: tokens, signatures and passwords. */
export const redact = (text: string): string =>
  secrets.reduce((rest, secret) => rest.replace(secret, "[secret]"), text);

/** Describes an error with its stack and the stacks of its causes. Leaves out other fields, which may hold anything. */
export function describeError(error: unknown, depth = 0): string {
  if (!(error instanceof Error)) return String(error);
  // tRPC wraps what it catches in an error with the same stack.
  if (error.cause instanceof Error && error.cause.stack === error.stack) return describeError(error.cause, depth);
  const causes: unknown[] = error instanceof AggregateError ? error.errors : error.cause ? [error.cause] : [];
  const below = depth < 5 ? causes.map((cause) => `\nCaused by: ${describeError(cause, depth + 1)}`) : [];
  return `${error.stack ?? error}${below.join("")}`;
}

/** Makes a text fit for the function log: without secrets, of bounded length, and storable by PostgreSQL. */
export function storable(text: string, maxLength: number): string {
  // Secrets are removed before the text is cut, because half a secret would not be recognized.
  const rest = text.length - maxLength;
  const cut = redact(text.slice(0, 2 * maxLength)).slice(0, maxLength);
  // PostgreSQL stores neither NUL nor half of a surrogate pair.
  const clean = Buffer.from(cut.replaceAll("\0", "\uFFFD")).toString();
  return rest > 0 ? `${clean}… (${rest} more characters)` : clean;
}

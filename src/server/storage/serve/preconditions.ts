/** What a conditional request is compared with. */
export interface Validators {
  /** A strong entity tag, quotes included. */
  etag: string;
  /** To the second, in milliseconds since the epoch. */
  lastModified: number;
}

/** `200`: answer as if unconditional. The order is that of RFC 9110 §13.2.2, for GET and HEAD. */
export function evaluatePreconditions(headers: Headers, { etag, lastModified }: Validators): 200 | 304 | 412 {
  const ifMatch = headers.get("if-match");
  const ifUnmodifiedSince = parseHttpDate(headers.get("if-unmodified-since"));
  if (ifMatch !== null) {
    if (!matches(ifMatch, etag, "strong")) return 412;
  } else if (ifUnmodifiedSince !== null && lastModified > ifUnmodifiedSince) {
    return 412;
  }

  const ifNoneMatch = headers.get("if-none-match");
  const ifModifiedSince = parseHttpDate(headers.get("if-modified-since"));
  if (ifNoneMatch !== null) {
    if (matches(ifNoneMatch, etag, "weak")) return 304;
  } else if (ifModifiedSince !== null && lastModified <= ifModifiedSince) {
    return 304;
  }
  return 200;
}

/** Whether `Range` counts: `If-Range` is absent, or names exactly this file (RFC 9110 §13.1.5). */
export function allowsRange(headers: Headers, { etag, lastModified }: Validators): boolean {
  const ifRange = headers.get("if-range");
  if (ifRange === null) return true;
  return ifRange.includes('"') ? ifRange.trim() === etag : parseHttpDate(ifRange) === lastModified;
}

function matches(header: string, etag: string, comparison: "strong" | "weak"): boolean {
  if (header.trim() === "*") return true;
  const tags = header.match(/(W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? [];
  return tags.some((tag) => tag === etag || (comparison === "weak" && tag === `W/${etag}`));
}

const time = String.raw`\d\d:\d\d:\d\d`;
const httpDates = [
  new RegExp(String.raw`^\w{3}, \d\d \w{3} \d{4} ${time} GMT$`),
  new RegExp(String.raw`^\w{6,9}, \d\d-\w{3}-\d\d ${time} GMT$`),
  new RegExp(String.raw`^\w{3} \w{3} [ \d]\d ${time} \d{4}$`),
];

/** The three forms of RFC 9110 §5.6.7; `null` for anything else, which is then ignored. */
function parseHttpDate(text: string | null): number | null {
  if (text === null || !httpDates.some((form) => form.test(text))) return null;
  const date = Date.parse(text.endsWith("GMT") ? text : `${text} GMT`);
  return Number.isNaN(date) ? null : date;
}

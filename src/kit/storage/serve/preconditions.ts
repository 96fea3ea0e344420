import { parseHttpDate } from "./http-date";

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
  const ifUnmodifiedSince = parseHttpDate(headers.get("if-unmodified-since") ?? "");
  if (ifMatch !== null) {
    if (!matches(ifMatch, etag, "strong")) return 412;
  } else if (ifUnmodifiedSince !== null && lastModified > ifUnmodifiedSince) {
    return 412;
  }

  const ifNoneMatch = headers.get("if-none-match");
  const ifModifiedSince = parseHttpDate(headers.get("if-modified-since") ?? "");
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
  return ifRange === null || ifRange === etag || parseHttpDate(ifRange) === lastModified;
}

const entityTag = String.raw`(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"`;
const entityTags = new RegExp(String.raw`^[ \t,]*(?:${entityTag}[ \t]*(?:,[ \t,]*|$))*$`);

/** A list that is not one of entity tags has none that matches. */
function matches(header: string, etag: string, comparison: "strong" | "weak"): boolean {
  if (header === "*") return true;
  const tags = (entityTags.test(header) && header.match(new RegExp(entityTag, "g"))) || [];
  return tags.some((tag) => tag === etag || (comparison === "weak" && tag === `W/${etag}`));
}

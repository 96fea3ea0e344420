const token = String.raw`[\w!#$%&'*+.^|~\x60-]+`;
const quoted = String.raw`"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"`;
const mediaType = new RegExp(String.raw`^${token}/${token}(?:[ \t]*;[ \t]*(?:${token}=(?:${token}|${quoted}))?)*$`);

/**
 * Whether `text` is a media type with its parameters (RFC 9110 §8.3.1), short enough for a header. Strictly so: browsers
 * read `image/png;, text/html` as two types and believe the last.
 */
export const isMediaType = (text: string): boolean => text.length <= 255 && mediaType.test(text);

/** `Image/PNG; charset=x` → `image/png`; without a type `""`. */
export function essenceOf(contentType: string | null): string {
  const [essence = ""] = (contentType ?? "").toLowerCase().split(";");
  return essence.trim();
}

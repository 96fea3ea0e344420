const token = String.raw`[\w!#$%&'*+.^|~\x60-]+`;
const quoted = String.raw`"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"`;
const mediaType = new RegExp(String.raw`^${token}/${token}(?:[ \t]*;[ \t]*(?:${token}=(?:${token}|${quoted}))?)*$`);

/**
 * Whether `text` is a media type with its parameters (RFC 9110 §8.3.1), short enough for a header. Strictly so: browsers
 * read `image/png;, text/html` as two types and believe the last.
 */
const isMediaType = (text: string): boolean => text.length <= 255 && mediaType.test(text);

/** Names that programs write for types whose name is another. */
const aliases: Record<string, string> = {
  "image/jpg": "image/jpeg",
  "image/pjpeg": "image/jpeg",
  "image/x-png": "image/png",
};

/** What recorders write without the quotes that a list needs: `video/webm;codecs=vp8,opus`. */
const bareCodecs = new RegExp(String.raw`(;[ \t]*codecs=)(${token}(?:,[ \t]*${token})+)(?=[ \t]*(?:;|$))`, "i");

/** The type as it is stored, of what browsers and recorders write: nearly always as it is. `null` when it is none. */
export function canonicalType(text: string): string | null {
  const type = text.length <= 255 ? text.replace(bareCodecs, '$1"$2"') : "";
  if (!isMediaType(type)) return null;
  const name = aliases[essenceOf(type)];
  return name === undefined ? type : type.replace(/^[^;]*/, name);
}

/** `Image/PNG; charset=x` → `image/png`; without a type `""`. */
export function essenceOf(contentType: string | null): string {
  const [essence = ""] = (contentType ?? "").toLowerCase().split(";");
  return essence.trim();
}

import contentDisposition from "content-disposition";
import { essenceOf } from "../content-type";

/** Types that browsers show without running anything in them. All others are downloads. */
const passive =
  /^(image\/(png|jpeg|gif|webp|avif|bmp|x-icon|vnd\.microsoft\.icon)|audio\/[\w.+-]+|video\/[\w.+-]+|application\/pdf|text\/plain)$/;

/** The `Content-Disposition` (RFC 6266) of a file: a download when it has a name to be saved by, or is not passive. */
export function dispositionOf(contentType: string | null, download?: string): string {
  if (download === undefined) return passive.test(essenceOf(contentType)) ? "inline" : "attachment";
  const name = fileName(download);
  return contentDisposition(name, { fallback: name?.replace(/[^\x20-\x7e]/gu, "_") });
}

/** The last part of a path, without what no file system wants in a name; `undefined` when nothing is left. */
function fileName(text: string): string | undefined {
  const last = text.split(/[\\/]/).filter(Boolean).at(-1) ?? "";
  // Controls that change the direction of text would show another extension than the name has.
  const name = last.replace(/\p{Cc}/gu, "_").replace(/\p{Bidi_Control}/gu, "");
  return /^[. ]*$/.test(name) ? undefined : name;
}

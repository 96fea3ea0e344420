import Image from "next/image";
import { TextPreview } from "./text-preview";
import type { StoredFile } from "./use-stored-files";

/** What a file shows, by its type. Only a picture's own kinds are drawn; whatever may run is shown as the text it is. */
export function FilePreview({ file: { _id, url, size, contentType } }: { file: StoredFile }) {
  const type = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (size === 0) return <Nothing>This file is empty.</Nothing>;
  if (/^image\/(png|jpeg|gif|webp|avif|bmp)$/.test(type)) {
    return (
      <div className="relative mt-2 h-80 rounded-xl bg-sunken">
        <Image fill src={url} alt={`Preview of ${_id}`} className="object-contain" />
      </div>
    );
  }
  if (type.startsWith("video/")) {
    return (
      <video src={url} controls aria-label={`Preview of ${_id}`} className="mt-2 max-h-80 w-full rounded-xl bg-black">
        <track kind="captions" />
      </video>
    );
  }
  if (type.startsWith("audio/")) {
    return (
      <audio src={url} controls aria-label={`Preview of ${_id}`} className="mt-3 w-full">
        <track kind="captions" />
      </audio>
    );
  }
  if (type === "application/pdf") {
    return <iframe src={url} title={`Preview of ${_id}`} className="mt-2 h-96 w-full rounded-xl border border-line" />;
  }
  if (/^text\/|[/+](json|xml)$|javascript|x-sh$|yaml|toml/.test(type)) return <TextPreview url={url} size={size} />;
  return <Nothing>There is no preview of this type.</Nothing>;
}

function Nothing({ children }: { children: string }) {
  return <p className="mt-2 rounded-xl bg-sunken p-8 text-center text-muted text-sm">{children}</p>;
}

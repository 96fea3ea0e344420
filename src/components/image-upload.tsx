import { CircleAlert, FileX2, RotateCw, X } from "lucide-react";
import type { Upload } from "~/kit/client";
import { percent, UploadProgress } from "~/kit/client";
import { frameOf } from "./picture-shape";

interface ImageUploadProps {
  upload: Upload;
  /** The picture's size in pixels, if it is known. */
  size?: { width?: number; height?: number };
  onRetry: (id: number) => void;
  onRemove: (id: number) => void;
}

/** A picture that is being uploaded, in its later frame. Shows the progress, or why the upload failed and what to do. */
export function ImageUpload({ upload, size = {}, onRetry, onRemove }: ImageUploadProps) {
  const { id, file, previewUrl, state, error } = upload;
  return (
    <div
      // Without this, screen readers would read every percent aloud.
      aria-live="off"
      className="picture-frame"
      style={{ ...frameOf(size), ...(previewUrl && { backgroundImage: `url("${previewUrl}")` }) }}
    >
      <div
        className={`absolute inset-0 flex flex-col justify-end p-3 text-sm text-white ${error ? "bg-black/70" : "bg-linear-to-t from-35% from-black/75 to-black/20"}`}
      >
        {state !== "saving" && (
          <button
            type="button"
            onClick={() => onRemove(id)}
            aria-label={`${error ? "Remove" : "Cancel"} ${file.name}`}
            title={error ? "Remove" : "Cancel"}
            className="dialog-control absolute top-0 right-0 before:absolute before:inset-1.5 before:rounded-full before:bg-black/50"
          >
            <X aria-hidden="true" className="relative size-5" />
          </button>
        )}
        {!previewUrl && <FileX2 aria-hidden="true" className="m-auto size-8 opacity-70" />}
        {error ? (
          <>
            <p role="alert" className="flex gap-2">
              <CircleAlert aria-hidden="true" className="mt-0.5 size-4 shrink-0" />
              <span className="min-w-0">
                <span dir="auto" className="block truncate font-medium">
                  {file.name}
                </span>
                {error.message}
              </span>
            </p>
            {error.retryable && (
              <button
                type="button"
                onClick={() => onRetry(id)}
                aria-label={`Try again to send ${file.name}`}
                className="mt-2 flex h-11 items-center justify-center gap-2 rounded-lg bg-white font-medium text-black hover:bg-white/90"
              >
                <RotateCw aria-hidden="true" className="size-4" />
                Try again
              </button>
            )}
          </>
        ) : (
          <>
            <p dir="auto" className="truncate font-medium">
              {file.name}
            </p>
            <p className="text-xs tabular-nums">{status(upload)}</p>
            <UploadProgress
              upload={upload}
              label={`Sending ${file.name}`}
              className="mt-2 bg-white/30"
              barClassName="bg-white"
            />
          </>
        )}
      </div>
    </div>
  );
}

function status({ state, sent, file }: Upload): string {
  if (state === "queued") return "Waiting";
  if (state === "uploading" && sent < file.size) return percent.format(sent / file.size);
  return "Sending…";
}

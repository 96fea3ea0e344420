import { CircleAlert, RotateCw, X } from "lucide-react";
import type { Upload } from "../upload-queue";
import { FileIcon } from "./file-icon";
import { formatBytes } from "./format-bytes";
import { UploadProgress } from "./upload-progress";

interface UploadListProps {
  uploads: readonly Upload[];
  onRetry: (id: number) => void;
  onRemove: (id: number) => void;
}

/** Files on their way: how far each is, or why it failed and what to do. */
export function UploadList({ uploads, onRetry, onRemove }: UploadListProps) {
  if (uploads.length === 0) return null;
  return (
    <ul aria-label="Uploads" className="mb-4 overflow-hidden rounded-2xl border border-line bg-surface">
      {uploads.map((upload) => {
        const { id, file, error, state, previewUrl } = upload;
        return (
          <li key={id} className="flex items-center gap-3 border-line py-2 pr-2 pl-4 not-first:border-t">
            <FileIcon type={file.type} imageUrl={previewUrl} />
            <div className="min-w-0 flex-1">
              <p className="truncate font-medium text-sm">{file.name}</p>
              {error ? (
                <p role="alert" className="flex items-start gap-1.5 text-danger text-sm">
                  <CircleAlert aria-hidden="true" className="mt-0.5 size-4 flex-none" />
                  {error.message}
                </p>
              ) : (
                <>
                  <p className="text-muted text-xs tabular-nums">{status(upload)}</p>
                  <UploadProgress
                    upload={upload}
                    label={`Uploading ${file.name}`}
                    className="mt-1.5 bg-sunken"
                    barClassName="bg-accent"
                  />
                </>
              )}
            </div>
            {error?.retryable && (
              <button
                type="button"
                onClick={() => onRetry(id)}
                aria-label={`Try again to upload ${file.name}`}
                title="Try again"
                className="icon-button"
              >
                <RotateCw aria-hidden="true" className="size-4.5" />
              </button>
            )}
            {state !== "saving" && (
              <button
                type="button"
                onClick={() => onRemove(id)}
                aria-label={`${error ? "Remove" : "Cancel"} ${file.name}`}
                title={error ? "Remove" : "Cancel"}
                className="icon-button"
              >
                <X aria-hidden="true" className="size-4.5" />
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function status({ state, sent, file }: Upload): string {
  if (state === "queued") return "Waiting";
  if (state === "uploading" && sent < file.size) return `${formatBytes(sent)} of ${formatBytes(file.size)}`;
  return "Finishing…";
}

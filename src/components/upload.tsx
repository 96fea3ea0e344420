"use client";

import { FileUp, Upload as UploadIcon } from "lucide-react";
import type { ReactNode } from "react";
import { UnfinishedUploads, UploadList, type UploadOptions, useFileInput, useUploads } from "~/kit/client";

interface UploadProps extends UploadOptions {
  /** Types to choose from, for example `"image/*,.pdf"`. People can still drop others: the upload URL limits those. */
  accept?: string;
  /** Whether several files may be chosen at once; true by default. */
  multiple?: boolean;
  /** The label of the button. */
  children: ReactNode;
}

/**
 * A button that uploads the chosen files, with a list of the uploads that are running or failed:
 *
 *     <UploadButton
 *       generateUploadUrl={() => client.notes.generateUploadUrl.mutate()}
 *       onUploaded={({ storageId, file }) => client.notes.add.mutate({ text: file.name, storageId })}
 *     >
 *       Upload
 *     </UploadButton>
 */
export function UploadButton({ accept, multiple = true, children, ...options }: UploadProps) {
  const { pending, unfinished, add, retry, pause, remove, forget } = useUploads(options);
  const { input, open } = useFileInput(add);
  return (
    <>
      <button type="button" onClick={open} className="button button-primary">
        <UploadIcon aria-hidden="true" className="size-4" />
        {children}
      </button>
      <input {...input} accept={accept} multiple={multiple} />
      <UnfinishedUploads unfinished={unfinished} onAdd={add} onForget={forget} />
      <UploadList uploads={pending} onRetry={retry} onRemove={remove} onPause={pause} />
    </>
  );
}

/** An area that uploads files that are dropped on it or chosen. It has the properties of `UploadButton`. */
export function UploadDropzone({ accept, multiple = true, children, ...options }: UploadProps) {
  const { pending, unfinished, add, retry, pause, remove, forget } = useUploads(options);
  const { area, input, open, isDragging } = useFileInput((files) => add(multiple ? files : files.slice(0, 1)));
  return (
    <>
      <div
        {...area}
        className={`mb-4 flex w-full flex-col items-center gap-3 rounded-2xl border-2 border-dashed px-4 py-8 text-center ${isDragging ? "border-accent bg-sunken" : "border-line-strong"}`}
      >
        <FileUp aria-hidden="true" className="size-7 text-muted" />
        <button type="button" onClick={open} className="button button-primary">
          {children}
        </button>
        <p className="text-muted text-sm">or drop {multiple ? "files" : "a file"} here</p>
        <input {...input} accept={accept} multiple={multiple} />
      </div>
      <UnfinishedUploads unfinished={unfinished} onAdd={add} onForget={forget} />
      <UploadList uploads={pending} onRetry={retry} onRemove={remove} onPause={pause} />
    </>
  );
}

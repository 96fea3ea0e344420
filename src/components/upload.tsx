"use client";

import { FileUp, Upload as UploadIcon } from "lucide-react";
import { type ReactNode, useRef } from "react";
import { useDropzone } from "react-dropzone";
import { UnfinishedUploads, UploadList, type UploadOptions, useUploads } from "~/kit/client";

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
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" onClick={() => input.current?.click()} className="button button-primary">
        <UploadIcon aria-hidden="true" className="size-4" />
        {children}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        accept={accept}
        multiple={multiple}
        onChange={({ currentTarget }) => {
          add([...(currentTarget.files ?? [])]);
          currentTarget.value = "";
        }}
      />
      <UnfinishedUploads unfinished={unfinished} onAdd={add} onForget={forget} />
      <UploadList uploads={pending} onRetry={retry} onRemove={remove} onPause={pause} />
    </>
  );
}

/** An area that uploads files that are dropped on it or chosen. It has the properties of `UploadButton`. */
export function UploadDropzone({ accept, multiple = true, children, ...options }: UploadProps) {
  const { pending, unfinished, add, retry, pause, remove, forget } = useUploads(options);
  const { getRootProps, getInputProps, isDragActive, open } = useDropzone({
    onDrop: (files) => add(multiple ? files : files.slice(0, 1)),
    noClick: true,
    noKeyboard: true,
  });
  return (
    <>
      <div
        {...getRootProps()}
        className={`mb-4 flex w-full flex-col items-center gap-3 rounded-2xl border-2 border-dashed px-4 py-8 text-center ${isDragActive ? "border-accent bg-sunken" : "border-line-strong"}`}
      >
        <FileUp aria-hidden="true" className="size-7 text-muted" />
        <button type="button" onClick={open} className="button button-primary">
          {children}
        </button>
        <p className="text-muted text-sm">or drop {multiple ? "files" : "a file"} here</p>
        <input {...getInputProps({ accept, multiple, "aria-hidden": true })} />
      </div>
      <UnfinishedUploads unfinished={unfinished} onAdd={add} onForget={forget} />
      <UploadList uploads={pending} onRetry={retry} onRemove={remove} onPause={pause} />
    </>
  );
}

"use client";

import { FileUp, FolderOpen, Upload as UploadIcon } from "lucide-react";
import { useRef } from "react";
import { useDropzone } from "react-dropzone";
import { useTRPCClient } from "~/components/api";
import { SiteHeader } from "~/components/site-header";
import { VisitorHint } from "~/components/visitor-hint";
import { DropHint, Empty, Failed, Loading, UploadList, useOutgoing, useUploads } from "~/kit/client";
import { FileList } from "./file-list";
import { useFiles } from "./use-files";

/** The viewer's own files: what they keep, and what is on its way. */
export function Files() {
  const client = useTRPCClient();
  const { viewer, files, query } = useFiles();
  const heading = useRef<HTMLHeadingElement>(null);

  const { uploads, add, retry, remove } = useUploads({
    generateUploadUrl: () => client.files.generateUploadUrl.mutate({}),
    onUploaded: async ({ storageId, file }) => {
      await client.files.saveFile.mutate({ storageId, name: file.name.slice(0, 255) || "Untitled" });
    },
  });
  const dropzone = useDropzone({ onDrop: (accepted) => add(accepted), noClick: true, noKeyboard: true });
  const outgoing = useOutgoing(uploads, files);

  return (
    <div {...dropzone.getRootProps()} className="flex min-h-dvh flex-col">
      <SiteHeader />
      <main className="flex flex-1 flex-col px-page pb-[max(2rem,env(safe-area-inset-bottom))]">
        <div className="column flex flex-1 flex-col">
          <div className="flex items-center justify-between gap-4 pt-6 pb-4 sm:pt-8">
            <h1 ref={heading} tabIndex={-1} className="font-semibold text-2xl tracking-tight outline-none">
              Files
            </h1>
            <button type="button" onClick={dropzone.open} className="button button-primary">
              <UploadIcon aria-hidden="true" className="size-4" />
              Upload
            </button>
            <input {...dropzone.getInputProps({ "aria-hidden": true })} />
          </div>
          {files.length > 0 && <VisitorHint things="files" />}
          <UploadList uploads={outgoing} onRetry={retry} onRemove={remove} />
          {files.length > 0 ? (
            <FileList files={files} query={query} focusAbove={() => heading.current?.focus()} />
          ) : viewer && query.isPending ? (
            <Loading>Loading files…</Loading>
          ) : viewer && query.isError ? (
            <Failed title="The files could not be loaded" error={query.error} onRetry={() => void query.refetch()} />
          ) : (
            outgoing.length === 0 && (
              <Empty icon={FolderOpen} title="No files yet">
                Drop files of any type and size anywhere on this page. Only you will see them.
              </Empty>
            )
          )}
        </div>
      </main>
      {dropzone.isDragActive && <DropHint icon={FileUp}>Drop files to keep them here</DropHint>}
    </div>
  );
}

"use client";

import { FileUp, FolderOpen, SearchX, Upload as UploadIcon } from "lucide-react";
import { useCallback, useRef, useState } from "react";
import { useTRPCClient } from "~/components/api";
import { PageHeader } from "~/components/page-header";
import { SiteHeader } from "~/components/site-header";
import { VisitorHint } from "~/components/visitor-hint";
import {
  DropHint,
  Empty,
  Failed,
  Loading,
  MoreRows,
  UnfinishedUploads,
  UploadList,
  useFileInput,
  useUploads,
} from "~/kit/client";
import { FileList } from "./file-list";
import { fileList, type View } from "./file-list-query";
import { FileSearch } from "./file-search";
import { useFiles } from "./use-files";

/** The viewer's files: those that are saved, and those that are being uploaded. */
export function Files() {
  const client = useTRPCClient();
  const [view, setView] = useState<View>({ search: fileList.input.search, sort: fileList.input.sort });
  const { viewer, files, total, query } = useFiles(view);
  const heading = useRef<HTMLHeadingElement>(null);
  const focusAbove = useCallback(() => heading.current?.focus(), []);

  const { pending, unfinished, add, retry, pause, remove, forget } = useUploads({
    generateUploadUrl: () => client.files.generateUploadUrl.mutate({}),
    // Files of a folder that was dropped keep their path in it.
    onUploaded: async ({ storageId, path }) => {
      await client.files.saveFile.mutate({ storageId, name: path.slice(-255) || "Untitled" });
    },
    shownIn: files,
  });
  const { area, input, open, isDragging } = useFileInput(add);

  return (
    <div {...area} className="flex flex-1 flex-col">
      <SiteHeader />
      <main className="page">
        <PageHeader ref={heading} title="Files">
          <button type="button" onClick={open} className="button button-primary">
            <UploadIcon aria-hidden="true" className="size-4" />
            Upload
          </button>
          <input {...input} />
        </PageHeader>
        {files.length > 0 && <VisitorHint things="files" />}
        <UnfinishedUploads unfinished={unfinished} onAdd={add} onForget={forget} />
        <UploadList uploads={pending} onRetry={retry} onRemove={remove} onPause={pause} />
        {(files.length > 0 || view.search !== "") && <FileSearch view={view} onChange={setView} />}
        {files.length > 0 ? (
          <>
            <FileList files={files} total={total} focusAbove={focusAbove} />
            <MoreRows query={query} things="files" />
          </>
        ) : viewer && query.isPending ? (
          <Loading>Loading files…</Loading>
        ) : viewer && query.isError ? (
          <Failed title="The files could not be loaded" error={query.error} onRetry={() => void query.refetch()} />
        ) : view.search !== "" ? (
          <Empty icon={SearchX} title="No files found">
            None of your files has “{view.search}” in its name.
          </Empty>
        ) : (
          pending.length === 0 && (
            <Empty icon={FolderOpen} title="No files yet">
              Drop files of any type and size anywhere on this page. Only you will see them.
            </Empty>
          )
        )}
      </main>
      {isDragging && <DropHint icon={FileUp}>Drop files to keep them here</DropHint>}
    </div>
  );
}

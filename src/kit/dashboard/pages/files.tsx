"use client";

import { useQuery } from "@tanstack/react-query";
import type { RowSelectionState, SortingState } from "@tanstack/react-table";
import { FileUp, Trash2, Upload } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import { ConfirmDialog } from "../../client/components/controls";
import { DropHint, Failed, Loading } from "../../client/components/lists";
import { UploadList } from "../../client/components/upload-list";
import { formatBytes } from "../../client/components/values";
import { useFileInput } from "../../client/file-input";
import { useUploads } from "../../client/use-uploads";
import { DataTable, Pager, useCursors } from "./data-table";
import { FileDialog } from "./file-dialog";
import { FileFilters, type Filters, fileColumns, useStoredFiles } from "./file-list";
import { Diagnosis } from "./health";
import { DashboardPage, Figures, formatCount, useTRPC, useTRPCClient } from "./parts";
import { SweepDialog } from "./sweep-dialog";

/** The page of all stored files, of all owners. */
export function Files() {
  const client = useTRPCClient();
  const heading = useRef<HTMLHeadingElement>(null);
  const [filters, setFilters] = useState<Filters>({ storageId: "", kind: "", from: "", to: "" });
  const [sorting, setSorting] = useState<SortingState>([{ id: "uploaded", desc: true }]);
  const cursors = useCursors(JSON.stringify([filters, sorting]));
  const [selection, setSelection] = useState<RowSelectionState>({});
  const [opened, setOpened] = useState<string | null>(null);
  const [deleting, setDeleting] = useState<string[] | null>(null);
  const columns = useMemo(() => fileColumns({ onOpen: setOpened }), []);
  const { files, nextCursor, query } = useStoredFiles({ filters, sorting, cursor: cursors.cursor });

  const { uploads, add, retry, remove } = useUploads({
    generateUploadUrl: () => client.dashboard.files.generateUploadUrl.mutate(),
    onUploaded: async () => undefined,
  });
  const { area, input, open, isDragging } = useFileInput(add);

  // Rows of other pages are not included, so that people delete only what they see.
  const selected = files.filter(({ _id }) => selection[_id]).map(({ _id }) => _id);
  const these = deleting?.length === 1 ? "this file" : `these ${deleting?.length} files`;

  return (
    <div {...area}>
      <DashboardPage
        title="Files"
        headingRef={heading}
        actions={
          <>
            <SweepDialog onOpenFile={setOpened} />
            <button type="button" onClick={open} className="button button-primary">
              <Upload aria-hidden="true" className="size-4" />
              Upload
            </button>
            <input {...input} />
          </>
        }
      >
        <Totals />
        <FileFilters filters={filters} onChange={setFilters} />
        <UploadList uploads={uploads.filter(({ state }) => state !== "done")} onRetry={retry} onRemove={remove} />
        <Diagnosis uploads={uploads} />
        {query.isError ? (
          <Failed title="The files could not be loaded" error={query.error} onRetry={() => void query.refetch()} />
        ) : query.isPending ? (
          <Loading>Loading files…</Loading>
        ) : (
          <>
            <DataTable
              label="Stored files"
              columns={columns}
              rows={files}
              rowId={({ _id }) => _id}
              sorting={sorting}
              onSortingChange={setSorting}
              selection={selection}
              onSelectionChange={setSelection}
              empty="No files match."
            />
            <div className="flex flex-wrap items-center gap-2">
              <div role="status" className="flex min-h-13 flex-1 items-center pt-2 text-muted text-sm">
                {selected.length > 0 && `${selected.length} selected`}
              </div>
              {selected.length > 0 && (
                <button
                  type="button"
                  onClick={() => setDeleting(selected)}
                  className="button mt-2 px-4 text-danger hover:bg-sunken"
                >
                  <Trash2 aria-hidden="true" className="size-4" />
                  Delete
                </button>
              )}
              <Pager cursors={cursors} nextCursor={nextCursor} />
            </div>
          </>
        )}
      </DashboardPage>
      <FileDialog
        storageId={opened}
        onClose={() => setOpened(null)}
        onDelete={(storageId) => {
          setOpened(null);
          setDeleting([storageId]);
        }}
      />
      <ConfirmDialog
        isOpen={deleting !== null}
        onOpenChange={() => setDeleting(null)}
        title={`Delete ${these}?`}
        description="Links to it stop working at once, and rows that reference it change as their foreign keys say. If the server keeps the bytes for a while, “Next garbage collection” lists the files that can be restored."
        action="Delete"
        onConfirm={async () => {
          await client.dashboard.files.delete.mutate({ storageIds: deleting ?? [] });
          setSelection({});
        }}
        onClosed={() => heading.current?.focus()}
      />
      {isDragging && <DropHint icon={FileUp}>Drop files to store them</DropHint>}
    </div>
  );
}

/** The number of files, and their total size. */
function Totals() {
  const { data } = useQuery(useTRPC().dashboard.files.total.queryOptions());
  return (
    <Figures
      figures={[
        { name: "Files", value: data && formatCount(data.files) },
        { name: "Stored", value: data && formatBytes(data.bytes) },
      ]}
    />
  );
}

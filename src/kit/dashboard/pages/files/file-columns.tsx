import { Checkbox } from "../../../client/components/checkbox";
import { formatBytes } from "../../../client/components/format-bytes";
import { Timestamp } from "../../../client/components/timestamp";
import { CopyButton } from "../parts/copy-button";
import { columnsOf } from "../parts/data-table";
import { FileReferences } from "./file-references";
import type { StoredFile } from "./use-stored-files";

const column = columnsOf<StoredFile>();

export const fileColumns = ({ onOpen }: { onOpen: (storageId: string) => void }) =>
  column.columns([
    column.display({
      id: "select",
      meta: { className: "w-11 px-0!" },
      header: ({ table }) => (
        <Checkbox
          label="Select all files on this page"
          checked={table.getIsAllRowsSelected() || (table.getIsSomeRowsSelected() && "indeterminate")}
          onChange={(isSelected) => table.toggleAllRowsSelected(isSelected)}
        />
      ),
      cell: ({ row }) => (
        <Checkbox
          label={`Select ${row.id}`}
          checked={row.getIsSelected()}
          onChange={(isSelected) => row.toggleSelected(isSelected)}
        />
      ),
    }),
    column.accessor("_id", {
      header: "Storage id",
      cell: ({ getValue }) => (
        <span className="flex items-center">
          <button
            type="button"
            onClick={() => onOpen(getValue())}
            className="h-11 whitespace-nowrap font-mono text-accent text-xs underline-offset-2 hover:underline"
          >
            {getValue()}
          </button>
          <CopyButton text={getValue()} label={`Copy ${getValue()}`} />
        </span>
      ),
    }),
    column.accessor("size", {
      header: "Size",
      enableSorting: true,
      meta: { className: "whitespace-nowrap tabular-nums" },
      cell: ({ getValue }) => <span title={`${getValue()} bytes`}>{formatBytes(getValue())}</span>,
    }),
    column.accessor("contentType", {
      header: "Type",
      cell: ({ getValue }) => (
        <span className="block max-w-48 truncate" title={getValue() ?? undefined}>
          {getValue() ?? <span className="text-muted">none</span>}
        </span>
      ),
    }),
    column.accessor("_creationTime", {
      id: "uploaded",
      header: "Uploaded",
      enableSorting: true,
      meta: { className: "whitespace-nowrap" },
      cell: ({ getValue }) => <Timestamp at={getValue()} />,
    }),
    column.accessor("references", {
      header: "Referred to by",
      cell: ({ getValue }) => <FileReferences references={getValue()} />,
    }),
  ]);

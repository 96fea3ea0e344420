import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { SortingState } from "@tanstack/react-table";
import { Search, X } from "lucide-react";
import { type FormEvent, useId } from "react";
import { Checkbox } from "../../client/components/controls";
import { FileIcon, formatBytes, ShortName, Timestamp } from "../../client/components/values";
import { columnsOf } from "./data-table";
import { type Answers, CopyButton, useTRPC } from "./parts";

export type StoredFile = Answers["files"]["list"]["page"][number];

interface Wanted {
  filters: Filters;
  sorting: SortingState;
  cursor: string | null;
}

/** Returns a page of files, or the file with the id in the filters. */
export function useStoredFiles({ filters: { storageId, kind, from, to }, sorting: [sorting], cursor }: Wanted) {
  const trpc = useTRPC().dashboard.files;
  const list = useQuery({
    ...trpc.list.queryOptions({
      cursor,
      kind: kind || undefined,
      from: from ? startOf(from) : undefined,
      before: to ? dayAfter(to) : undefined,
      sort: sorting?.id === "size" ? "size" : "uploaded",
      direction: sorting?.desc === false ? "asc" : "desc",
    }),
    placeholderData: keepPreviousData,
    enabled: storageId === "",
  });
  const one = useQuery({ ...trpc.get.queryOptions({ storageId }), enabled: storageId !== "", retry: false });
  if (storageId !== "") return { files: one.data ? [one.data] : none, nextCursor: null, query: one };
  return { files: list.data?.page ?? none, nextCursor: list.data?.nextCursor ?? null, query: list };
}

const none: StoredFile[] = [];

export interface Filters {
  /** Shows only this file. `""` shows all. */
  storageId: string;
  kind: "" | keyof typeof kinds;
  /** Days in the viewer's time zone, for example `2026-11-21`. Both are included. */
  from: string;
  to: string;
}

const kinds = {
  image: "Images",
  video: "Video",
  audio: "Audio",
  text: "Text",
  application: "Applications",
  none: "Without a type",
};

const isKind = (text: string): text is keyof typeof kinds => text in kinds;

/** The first millisecond of a day. */
const startOf = (day: string) => new Date(`${day}T00:00`).getTime();

function dayAfter(day: string): number {
  const date = new Date(`${day}T00:00`);
  date.setDate(date.getDate() + 1);
  return date.getTime();
}

interface FileFiltersProps {
  filters: Filters;
  onChange: (filters: Filters) => void;
}

export function FileFilters({ filters, onChange }: FileFiltersProps) {
  const id = useId();

  function lookUp(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const storageId = String(new FormData(event.currentTarget).get("id")).trim();
    onChange({ ...filters, storageId });
  }

  return (
    <div className="mb-4 grid gap-3 sm:grid-cols-2 lg:grid-cols-[minmax(0,1fr)_11rem_12rem_12rem]">
      <form key={filters.storageId} onSubmit={lookUp} className="grid gap-1">
        <label htmlFor={`${id}-id`} className="font-medium text-muted text-xs">
          Storage id
        </label>
        <span className="flex gap-1">
          <input
            id={`${id}-id`}
            name="id"
            defaultValue={filters.storageId}
            autoComplete="off"
            spellCheck={false}
            placeholder="Look one up"
            className="field min-w-0 flex-1 font-mono"
          />
          <button type="submit" aria-label="Look up" title="Look up" className="icon-button">
            <Search aria-hidden="true" className="size-4.5" />
          </button>
          {filters.storageId && (
            <button
              type="button"
              aria-label="Show all files"
              title="Show all files"
              onClick={() => onChange({ ...filters, storageId: "" })}
              className="icon-button"
            >
              <X aria-hidden="true" className="size-4.5" />
            </button>
          )}
        </span>
      </form>
      <div className="grid gap-1">
        <label htmlFor={`${id}-kind`} className="font-medium text-muted text-xs">
          Type
        </label>
        <select
          id={`${id}-kind`}
          value={filters.kind}
          onChange={({ target: { value } }) =>
            onChange({ ...filters, storageId: "", kind: isKind(value) ? value : "" })
          }
          className="field"
        >
          <option value="">All types</option>
          {Object.entries(kinds).map(([kind, label]) => (
            <option key={kind} value={kind}>
              {label}
            </option>
          ))}
        </select>
      </div>
      {(["from", "to"] as const).map((end) => (
        <div key={end} className="grid gap-1">
          <label htmlFor={`${id}-${end}`} className="font-medium text-muted text-xs">
            {end === "from" ? "Uploaded from" : "Uploaded until"}
          </label>
          <input
            id={`${id}-${end}`}
            type="date"
            value={filters[end]}
            onChange={({ target: { value } }) => onChange({ ...filters, storageId: "", [end]: value })}
            className="field"
          />
        </div>
      ))}
    </div>
  );
}

const column = columnsOf<StoredFile>();

/** Files have no names. Returns the name of a row that references the file, or `null`. */
export const nameOf = ({ references }: StoredFile) => references.find(({ label }) => label)?.label ?? null;

export const fileColumns = ({ onOpen }: { onOpen: (storageId: string) => void }) =>
  column.columns([
    column.display({
      id: "select",
      meta: { className: "w-11 px-0! max-sm:[td&]:absolute max-sm:[td&]:top-3 max-sm:[td&]:right-2", isControl: true },
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
      header: "File",
      meta: { isTitle: true, className: "max-sm:pr-10!" },
      cell: ({ getValue, row: { original } }) => (
        <span className="flex items-center gap-3 py-1">
          <FileIcon type={original.contentType ?? ""} imageUrl={original.thumbnailUrl} />
          <span className="min-w-0">
            <button
              type="button"
              onClick={() => onOpen(getValue())}
              className="flex min-h-7 max-w-full items-center text-left text-accent underline-offset-2 hover:underline sm:max-w-72"
            >
              {nameOf(original) === null ? (
                <span className="italic">No name</span>
              ) : (
                <ShortName name={nameOf(original) ?? ""} />
              )}
            </button>
            <span className="block truncate font-mono text-muted text-xs" title={getValue()}>
              {getValue()}
            </span>
          </span>
          <span className="ml-auto">
            <CopyButton text={getValue()} label={`Copy ${getValue()}`} />
          </span>
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
      meta: { className: "whitespace-nowrap sm:min-w-32" },
      cell: ({ getValue }) => <Timestamp at={getValue()} />,
    }),
    column.accessor("references", {
      header: "Referenced by",
      cell: ({ getValue }) => <FileReferences references={getValue()} />,
    }),
  ]);

/** The server lists at most this many rows of one table. */
const maxReferences = 5;

/** The tables whose rows reference a file, with the name of the row or the number of rows. */
function FileReferences({ references }: { references: StoredFile["references"] }) {
  if (references.length === 0) return <span className="text-muted">nothing</span>;
  const columns = new Map<string, typeof references>();
  for (const reference of references) {
    const name = `${reference.table}.${reference.column}`;
    columns.set(name, [...(columns.get(name) ?? []), reference]);
  }
  return (
    <ul className="grid">
      {[...columns].map(([name, rows]) => (
        <li key={name} className="max-w-64 truncate" title={rows.map(({ row, label }) => label ?? row).join(", ")}>
          <span className="font-mono text-xs">{name}</span>{" "}
          <span className="text-muted text-xs">
            {rows[0]?.label ?? (rows.length < maxReferences ? rows.length : `${maxReferences} or more`)}
          </span>
        </li>
      ))}
    </ul>
  );
}

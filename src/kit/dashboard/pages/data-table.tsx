import {
  type ColumnDef,
  createColumnHelper,
  metaHelper,
  type OnChangeFn,
  type RowSelectionState,
  rowSelectionFeature,
  rowSortingFeature,
  type SortingState,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { ArrowDown, ArrowUp, ChevronLeft, ChevronRight } from "lucide-react";
import { type ReactNode, useState } from "react";

const features = tableFeatures({
  rowSortingFeature,
  rowSelectionFeature,
  /** The classes of a column's cells and of its header. */
  columnMeta: metaHelper<{ className?: string }>(),
});

/** Columns of a table whose rows are of this type. */
export const columnsOf = <Row extends object>() => createColumnHelper<typeof features, Row>();

type Columns<Row extends object> = ColumnDef<typeof features, Row>[];

interface DataTableProps<Row extends object> {
  /** The name of the table for screen readers. */
  label: string;
  /** Must be the same array at every rendering. */
  columns: Columns<Row>;
  rows: Row[];
  rowId: (row: Row) => string;
  /** The server sorts. Only columns with `enableSorting` can be sorted by. */
  sorting?: SortingState;
  onSortingChange?: OnChangeFn<SortingState>;
  selection?: RowSelectionState;
  onSelectionChange?: OnChangeFn<RowSelectionState>;
  /** Shown when there are no rows. */
  empty?: ReactNode;
}

const none: never[] = [];
const nothing = {};

/** A table that scrolls sideways on narrow screens. */
export function DataTable<Row extends object>({
  label,
  columns,
  rows,
  rowId,
  sorting = none,
  onSortingChange,
  selection = nothing,
  onSelectionChange,
  empty,
}: DataTableProps<Row>) {
  const table = useTable({
    features,
    columns,
    data: rows,
    getRowId: rowId,
    manualSorting: true,
    enableSortingRemoval: false,
    sortDescFirst: true,
    defaultColumn: { enableSorting: false },
    state: { sorting, rowSelection: selection },
    onSortingChange,
    onRowSelectionChange: onSelectionChange,
  });
  return (
    <section
      aria-label={label}
      // Keyboard users can focus and scroll it.
      tabIndex={0}
      className="relative overflow-x-auto rounded-2xl border border-line bg-surface"
    >
      <table className="w-full text-sm">
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id} className="border-line border-b">
              {group.headers.map((header) => {
                const { column } = header;
                const sorted = column.getIsSorted();
                const title = <table.FlexRender header={header} />;
                return (
                  <th
                    key={header.id}
                    scope="col"
                    aria-sort={sorted ? (sorted === "asc" ? "ascending" : "descending") : undefined}
                    className={`h-11 whitespace-nowrap px-3 text-left font-medium text-muted text-xs ${column.columnDef.meta?.className ?? ""}`}
                  >
                    {column.getCanSort() ? (
                      <button
                        type="button"
                        onClick={column.getToggleSortingHandler()}
                        className="-mx-2 inline-flex h-11 items-center gap-1 rounded-lg px-2 hover:text-ink"
                      >
                        {title}
                        {sorted === "asc" && <ArrowUp aria-hidden="true" className="size-3.5" />}
                        {sorted === "desc" && <ArrowDown aria-hidden="true" className="size-3.5" />}
                      </button>
                    ) : (
                      title
                    )}
                  </th>
                );
              })}
            </tr>
          ))}
        </thead>
        <tbody>
          {table.getRowModel().rows.map((row) => (
            <tr
              key={row.id}
              data-selected={row.getIsSelected() || undefined}
              className="border-line not-first:border-t hover:bg-sunken/50 data-selected:bg-sunken"
            >
              {row.getAllCells().map((cell) => (
                <td key={cell.id} className={`h-12 px-3 ${cell.column.columnDef.meta?.className ?? ""}`}>
                  <table.FlexRender cell={cell} />
                </td>
              ))}
            </tr>
          ))}
          {rows.length === 0 && (
            <tr>
              <td colSpan={columns.length} className="px-3 py-10 text-center text-muted">
                {empty ?? "Nothing here."}
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </section>
  );
}

/** The cursors of the current page and of those before it. A different `key` starts again at the first page. */
export function useCursors(key: string) {
  const [state, setState] = useState<{ key: string; cursors: string[] }>({ key, cursors: [] });
  const cursors = state.key === key ? state.cursors : [];
  return {
    cursor: cursors.at(-1) ?? null,
    /** The number of the page, from 1. */
    number: cursors.length + 1,
    back: () => setState({ key, cursors: cursors.slice(0, -1) }),
    forward: (next: string) => setState({ key, cursors: [...cursors, next] }),
  };
}

interface PagerProps {
  cursors: ReturnType<typeof useCursors>;
  nextCursor: string | null | undefined;
}

export function Pager({ cursors: { number, back, forward }, nextCursor }: PagerProps) {
  if (number === 1 && !nextCursor) return null;
  return (
    <nav aria-label="Pages of the list" className="flex items-center justify-end gap-1 pt-2">
      <button type="button" onClick={back} disabled={number === 1} className="icon-button disabled:opacity-40">
        <ChevronLeft aria-hidden="true" className="size-5" />
        <span className="sr-only">Previous page</span>
      </button>
      <p role="status" className="text-muted text-sm tabular-nums">
        Page {number}
      </p>
      <button
        type="button"
        onClick={() => nextCursor && forward(nextCursor)}
        disabled={!nextCursor}
        className="icon-button disabled:opacity-40"
      >
        <ChevronRight aria-hidden="true" className="size-5" />
        <span className="sr-only">Next page</span>
      </button>
    </nav>
  );
}

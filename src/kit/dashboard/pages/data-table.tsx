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
  /**
   * The classes of a column's cells and of its header. On phones a row is a card: a title has no label beside it,
   * and the header shows only columns to sort by and controls.
   */
  columnMeta: metaHelper<{ className?: string; isTitle?: boolean; isControl?: boolean }>(),
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

/** A table that scrolls sideways where it is wider than the screen. On phones each row is a card. */
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
      className="relative overflow-x-auto rounded-2xl sm:border sm:border-line sm:bg-surface"
    >
      {/* With other layouts than that of a table, browsers forget what it is. */}
      {/* biome-ignore-start lint/a11y/noRedundantRoles: see above */}
      {/* biome-ignore-start lint/a11y/useSemanticElements: see above */}
      <table role="table" className="w-full text-sm max-sm:block">
        <thead role="rowgroup" className="max-sm:block">
          {table.getHeaderGroups().map((group) => (
            <tr
              key={group.id}
              role="row"
              className="border-line max-sm:flex max-sm:flex-wrap max-sm:items-center sm:border-b"
            >
              {group.headers.map((header) => {
                const { column } = header;
                const sorted = column.getIsSorted();
                const title = <table.FlexRender header={header} />;
                const isControl = column.getCanSort() || column.columnDef.meta?.isControl;
                return (
                  <th
                    key={header.id}
                    role="columnheader"
                    scope="col"
                    aria-sort={sorted ? (sorted === "asc" ? "ascending" : "descending") : undefined}
                    className={`h-11 whitespace-nowrap px-3 text-left font-medium text-muted text-xs ${isControl ? "max-sm:grid max-sm:items-center" : "max-sm:sr-only"} ${column.columnDef.meta?.className ?? ""}`}
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
        <tbody role="rowgroup" className="max-sm:grid max-sm:gap-3">
          {table.getRowModel().rows.map((row) => (
            <tr
              key={row.id}
              role="row"
              data-selected={row.getIsSelected() || undefined}
              className="border-line hover:bg-sunken/50 data-selected:bg-sunken max-sm:card max-sm:relative max-sm:grid max-sm:grid-cols-1 sm:not-first:border-t"
            >
              {row.getAllCells().map((cell) => {
                const { header, meta } = cell.column.columnDef;
                return (
                  <td
                    key={cell.id}
                    role="cell"
                    className={`px-3 max-sm:flex max-sm:min-h-8 max-sm:items-center max-sm:gap-3 max-sm:px-0 sm:h-12 ${meta?.className ?? ""}`}
                  >
                    {typeof header === "string" && !meta?.isTitle && (
                      <span aria-hidden="true" className="w-24 flex-none text-left text-muted text-xs sm:hidden">
                        {header}
                      </span>
                    )}
                    <div className="min-w-0 max-sm:flex-1">
                      <table.FlexRender cell={cell} />
                    </div>
                  </td>
                );
              })}
            </tr>
          ))}
          {rows.length === 0 && (
            <tr role="row" className="max-sm:card max-sm:block">
              <td
                role="cell"
                colSpan={columns.length}
                className="block px-3 py-10 text-center text-muted sm:table-cell"
              >
                {empty ?? "Nothing here."}
              </td>
            </tr>
          )}
        </tbody>
      </table>
      {/* biome-ignore-end lint/a11y/useSemanticElements: see above */}
      {/* biome-ignore-end lint/a11y/noRedundantRoles: see above */}
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

"use client";

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ChevronLeft, Plus, X } from "lucide-react";
import Link from "next/link";
import { useRouter } from "next/navigation";
import { type FormEvent, useId, useMemo, useState } from "react";
import { Failed, Loading } from "../../client/components/lists";
import { type Filter, filtersOf, hrefOfRows, isOperator, operators } from "./data-filters";
import { Cell, type Column, RowDialog } from "./data-row";
import { columnsOf, DataTable, Pager, useCursors } from "./data-table";
import { FileDialog } from "./file-dialog";
import { type Answers, DashboardPage, formatCount, useSearch, useTRPC } from "./parts";

/** The tables of the app and their rows, as they are now. The URL names a table, and conditions that rows must meet. */
export function Data() {
  const search = useSearch();
  const table = search.get("table");
  const filters = filtersOf(search.getAll("filter"));
  const tables = useQuery(useTRPC().dashboard.data.tables.queryOptions());
  const [file, setFile] = useState<string | null>(null);
  return (
    <DashboardPage title="Data">
      {tables.isError ? (
        <Failed title="The tables could not be loaded" error={tables.error} onRetry={() => void tables.refetch()} />
      ) : tables.isPending ? (
        <Loading>Loading tables…</Loading>
      ) : (
        <div className="grid grid-cols-1 items-start gap-6 lg:grid-cols-[15rem_minmax(0,1fr)]">
          <div className={`grid gap-4 ${table === null ? "" : "max-lg:hidden"}`}>
            <TableList label="Tables" tables={tables.data.filter(({ isKit }) => !isKit)} current={table} />
            <TableList label="Tables of the kit" tables={tables.data.filter(({ isKit }) => isKit)} current={table} />
          </div>
          <div className="min-w-0">
            {table === null ? (
              <p className="text-muted text-sm">
                Choose a table. Its rows are only shown here: <code className="text-ink">npm run db:studio</code>{" "}
                changes them.
              </p>
            ) : (
              <Rows key={table} table={table} filters={filters} onOpenFile={setFile} />
            )}
          </div>
        </div>
      )}
      <FileDialog storageId={file} onClose={() => setFile(null)} />
    </DashboardPage>
  );
}

interface TableListProps {
  label: string;
  tables: Answers["data"]["tables"];
  current: string | null;
}

function TableList({ label, tables, current }: TableListProps) {
  return (
    <nav aria-label={label} className="overflow-hidden rounded-2xl border border-line bg-surface">
      <p aria-hidden="true" className="px-3 pt-3 pb-1 font-medium text-muted text-xs">
        {label}
      </p>
      <ul>
        {tables.map(({ name, rows }) => (
          <li key={name}>
            <Link
              prefetch={false}
              href={hrefOfRows(name)}
              aria-current={name === current ? "true" : undefined}
              className="flex min-h-11 items-center gap-2 px-3 -outline-offset-2 hover:bg-sunken aria-[current]:bg-sunken lg:min-h-9"
            >
              <span className="wrap-anywhere min-w-0 flex-1 font-mono text-xs">{name}</span>
              <span className="flex-none text-muted text-xs tabular-nums">
                {formatCount(rows)}
                <span className="sr-only"> rows</span>
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

type Page = Answers["data"]["rows"];
type Row = Page["rows"][number];

interface RowsProps {
  table: string;
  filters: Filter[];
  onOpenFile: (storageId: string) => void;
}

function Rows({ table, filters, onOpenFile }: RowsProps) {
  const router = useRouter();
  const cursors = useCursors(JSON.stringify(filters));
  const [opened, setOpened] = useState<string[] | null>(null);
  const page = useQuery({
    ...useTRPC().dashboard.data.rows.queryOptions({ table, filters, cursor: cursors.cursor }),
    placeholderData: keepPreviousData,
    retry: false,
  });
  const { columns: described, previews } = page.data ?? {};
  const columns = useMemo(
    () => rowColumns({ columns: described ?? [], previews: previews ?? {}, onOpen: setOpened, onOpenFile }),
    [described, previews, onOpenFile],
  );
  const go = (next: Filter[]) => router.push(hrefOfRows(table, next));

  return (
    <section aria-labelledby="table-name">
      <Link
        prefetch={false}
        href="/dashboard/data"
        className="-mt-2 flex h-11 w-fit items-center gap-1 text-accent text-sm lg:hidden"
      >
        <ChevronLeft aria-hidden="true" className="size-4" />
        All tables
      </Link>
      <h2 id="table-name" className="wrap-anywhere pb-3 font-mono font-semibold">
        {table}
      </h2>
      {described && (
        <AddFilter columns={described.filter(({ isHidden }) => !isHidden)} onAdd={(added) => go([...filters, added])} />
      )}
      {filters.length > 0 && (
        <ul aria-label="Filters" className="flex flex-wrap gap-2 pb-3">
          {filters.map((filter) => (
            <li key={JSON.stringify(filter)} className="flex min-h-11 items-center rounded-full bg-sunken pl-4 text-sm">
              <span className="wrap-anywhere">
                <span className="font-mono text-xs">{filter.column}</span> {operators[filter.operator]}{" "}
                <span className="font-medium">{filter.value}</span>
              </span>
              <button
                type="button"
                aria-label={`Remove the filter by ${filter.column}`}
                onClick={() => go(filters.filter((other) => other !== filter))}
                className="icon-button"
              >
                <X aria-hidden="true" className="size-4" />
              </button>
            </li>
          ))}
        </ul>
      )}
      {page.isError ? (
        <Failed title="The rows could not be loaded" error={page.error} onRetry={() => void page.refetch()} />
      ) : page.isPending ? (
        <Loading>Loading rows…</Loading>
      ) : (
        <DataTable
          label={`Rows of ${table}`}
          columns={columns}
          rows={page.data.rows}
          rowId={({ key, cells }) => JSON.stringify(key.length > 0 ? key : cells)}
          empty={
            page.data.nextCursor
              ? "None of the rows that were looked at match. The next page looks further."
              : filters.length > 0
                ? "No rows match."
                : "The table is empty."
          }
        />
      )}
      <Pager cursors={cursors} nextCursor={page.data?.nextCursor} />
      <RowDialog table={table} rowKey={opened} onClose={() => setOpened(null)} onOpenFile={onOpenFile} />
    </section>
  );
}

function AddFilter({ columns, onAdd }: { columns: Column[]; onAdd: (filter: Filter) => void }) {
  const id = useId();
  const [column, setColumn] = useState(columns[0]?.name ?? "");
  const [operator, setOperator] = useState<Filter["operator"]>("is");
  const kind = columns.find(({ name }) => name === column)?.kind;
  const hasValue = operator !== "isEmpty" && operator !== "isNotEmpty";

  function add(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const value = String(new FormData(event.currentTarget).get("value") ?? "");
    onAdd({ column, operator, value: kind === "time" && value ? new Date(value).toISOString() : value });
    event.currentTarget.reset();
  }

  return (
    <form onSubmit={add} className="grid grid-cols-2 gap-2 pb-3 sm:grid-cols-[12rem_10rem_minmax(0,1fr)_auto]">
      <select
        aria-label="Column"
        value={column}
        onChange={({ target }) => setColumn(target.value)}
        className="field min-w-0"
      >
        {columns.map(({ name }) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      <select
        aria-label="Condition"
        value={operator}
        onChange={({ target }) => isOperator(target.value) && setOperator(target.value)}
        className="field"
      >
        {Object.entries(operators).map(([name, label]) => (
          <option key={name} value={name}>
            {label}
          </option>
        ))}
      </select>
      <input
        id={id}
        key={kind}
        name="value"
        aria-label="Value"
        placeholder="Value"
        type={kind === "time" && operator !== "contains" ? "datetime-local" : "text"}
        step={1}
        maxLength={1_000}
        disabled={!hasValue}
        autoComplete="off"
        className="field min-w-0 disabled:opacity-40"
      />
      <button type="submit" className="button button-quiet">
        <Plus aria-hidden="true" className="size-4" />
        Filter
      </button>
    </form>
  );
}

const column = columnsOf<Row>();

interface RowColumnsOptions {
  columns: Column[];
  previews: Page["previews"];
  onOpen: (key: string[]) => void;
  onOpenFile: (storageId: string) => void;
}

const rowColumns = ({ columns, previews, onOpen, onOpenFile }: RowColumnsOptions) =>
  column.columns(
    columns.map((described, at) =>
      column.display({
        id: described.name,
        header: described.name,
        meta: {
          isTitle: at === 0,
          className: `whitespace-nowrap ${described.kind === "time" ? "sm:min-w-32" : ""}`,
        },
        cell: ({ row: { original } }) => {
          const value = original.cells[at] ?? null;
          if (at > 0 || original.key.length === 0) {
            return <Cell column={described} value={value} previews={previews} onOpenFile={onOpenFile} />;
          }
          return (
            <button
              type="button"
              title={value ?? ""}
              aria-label={`Open row ${original.key.join(", ")}`}
              onClick={() => onOpen(original.key)}
              className="block h-11 max-w-full truncate font-mono text-accent text-xs underline-offset-2 hover:underline sm:max-w-40"
            >
              {value}
            </button>
          );
        },
      }),
    ),
  );

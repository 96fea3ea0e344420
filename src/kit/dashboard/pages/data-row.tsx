import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import Link from "next/link";
import { Dialog } from "radix-ui";
import { Failed, Loading } from "../../client/components/lists";
import { FileIcon, formatBytes, Timestamp } from "../../client/components/values";
import { hrefOfRows } from "./data-filters";
import { type Answers, useDialog, useTRPC } from "./parts";

type Page = Answers["data"]["rows"];
export type Column = Page["columns"][number];

interface CellProps {
  column: Column;
  value: string | null;
  previews: Page["previews"];
  onOpenFile: (storageId: string) => void;
  /** Whether it has a whole line of its own. */
  isWide?: boolean;
}

/** A value, with a link to the row or the file that it refers to. */
export function Cell({
  column: { kind, type, isHidden, references, isKey },
  value,
  previews,
  onOpenFile,
  isWide,
}: CellProps) {
  const width = isWide ? "wrap-anywhere whitespace-pre-wrap" : "block max-w-full truncate sm:max-w-60";
  if (value === null) {
    return (
      <span className="text-muted">
        <span aria-hidden="true">–</span>
        <span className="sr-only">empty</span>
      </span>
    );
  }
  if (isHidden) return <span className="text-muted text-xs italic">hidden</span>;
  const preview = previews[value];
  if (preview && (isKey || references)) {
    return (
      <button
        type="button"
        onClick={() => onOpenFile(value)}
        aria-label={`Open file ${value}`}
        title={value}
        className="flex min-h-11 max-w-full items-center gap-2 font-mono text-accent text-xs underline-offset-2 hover:underline"
      >
        <FileIcon type={preview.contentType ?? ""} imageUrl={preview.thumbnailUrl} />
        <span className="truncate">{isWide ? value : `…${value.slice(-8)}`}</span>
      </button>
    );
  }
  if (references) {
    return (
      <Link
        prefetch={false}
        href={hrefOfRows(references.table, [{ column: references.column, operator: "is", value }])}
        title={`${references.table} ${value}`}
        className={`font-mono text-accent text-xs underline-offset-2 hover:underline ${width}`}
      >
        {value}
      </Link>
    );
  }
  if (kind === "bytes") return <span className="text-muted text-xs">{formatBytes(Number(value))}</span>;
  const time = kind === "time" ? Date.parse(value) : Number.NaN;
  if (!Number.isNaN(time)) return <Timestamp at={time} />;
  const isText = type === "text" || kind === "number";
  return (
    <span title={isWide ? undefined : value} className={`${width} ${isText ? "tabular-nums" : "font-mono text-xs"}`}>
      {value}
    </span>
  );
}

interface RowDialogProps {
  table: string;
  /** The key of the row to show, or `null` when the dialog is closed. */
  rowKey: string[] | null;
  onClose: () => void;
  onOpenFile: (storageId: string) => void;
}

/** All values of a row, and the rows that reference it. */
export function RowDialog({ table, rowKey, onClose, onOpenFile }: RowDialogProps) {
  const dialog = useDialog(onClose);
  const row = useQuery({
    ...useTRPC().dashboard.data.row.queryOptions({ table, key: rowKey ?? [] }),
    enabled: rowKey !== null,
  });
  const { columns = [], referredBy = [], previews = {} } = row.data ?? {};
  const cells = row.data?.row?.cells ?? [];
  return (
    <Dialog.Root open={rowKey !== null} onOpenChange={onClose}>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-overlay" />
        <Dialog.Content {...dialog} className="dialog max-w-3xl!" aria-describedby={undefined}>
          <div className="-mt-2 -mr-3 flex items-center justify-between">
            <Dialog.Title className="min-w-0 truncate font-semibold text-sm">
              Row of <span className="font-mono">{table}</span>
            </Dialog.Title>
            <Dialog.Close aria-label="Close" title="Close" className="icon-button">
              <X aria-hidden="true" className="size-5" />
            </Dialog.Close>
          </div>
          {row.isError ? (
            <Failed title="The row could not be loaded" error={row.error} onRetry={() => void row.refetch()} />
          ) : row.data === undefined ? (
            <Loading>Loading…</Loading>
          ) : row.data === null ? (
            <p className="py-6 text-center text-muted text-sm">This row has been deleted.</p>
          ) : (
            <>
              <dl className="mt-2 grid grid-cols-1 gap-3 text-sm">
                {columns.map((described, at) => (
                  <div key={described.name}>
                    <dt className="text-muted text-xs">
                      <span className="font-mono">{described.name}</span> · {described.type}
                    </dt>
                    <dd>
                      <Cell
                        isWide
                        column={described}
                        value={cells[at] ?? null}
                        previews={previews}
                        onOpenFile={onOpenFile}
                      />
                    </dd>
                  </div>
                ))}
              </dl>
              {referredBy.length > 0 && (
                <>
                  <h3 className="pt-4 pb-1 font-medium text-muted text-xs">Rows that reference it</h3>
                  <ul>
                    {referredBy.map(({ table, column, ownColumn }) => (
                      <li key={`${table}.${column}`}>
                        <Link
                          prefetch={false}
                          href={hrefOfRows(table, [
                            {
                              column,
                              operator: "is",
                              value: cells[columns.findIndex(({ name }) => name === ownColumn)] ?? "",
                            },
                          ])}
                          className="flex min-h-9 items-center font-mono text-accent text-xs underline-offset-2 hover:underline"
                        >
                          {table}.{column}
                        </Link>
                      </li>
                    ))}
                  </ul>
                </>
              )}
            </>
          )}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

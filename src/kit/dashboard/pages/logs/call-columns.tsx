import { columnsOf } from "../parts/data-table";
import { formatDuration } from "../parts/format-duration";
import { LogTime } from "./log-time";
import type { Call } from "./use-call-log";

const column = columnsOf<Call>();

export const callColumns = ({ onOpen }: { onOpen: (requestId: string) => void }) =>
  column.columns([
    column.accessor("time", { header: "Time", cell: ({ getValue }) => <LogTime at={getValue()} /> }),
    column.accessor("requestId", {
      header: "Request",
      cell: ({ getValue }) => (
        <button
          type="button"
          title={getValue()}
          aria-label={`Request ${getValue()}`}
          onClick={() => onOpen(getValue())}
          className="h-11 font-mono text-accent text-xs underline-offset-2 hover:underline"
        >
          {getValue().slice(-8)}
        </button>
      ),
    }),
    column.accessor("function", {
      header: "Function",
      cell: ({ getValue, row: { original } }) => (
        <span
          className="block whitespace-nowrap font-mono text-xs"
          style={{ paddingLeft: `${original.depth * 0.75}rem` }}
        >
          {getValue()}
        </span>
      ),
    }),
    column.accessor("outcome", { header: "Outcome", cell: ({ getValue }) => <Outcome outcome={getValue()} /> }),
    column.accessor("duration", {
      header: "Took",
      meta: { className: "whitespace-nowrap text-right tabular-nums text-xs" },
      cell: ({ getValue }) => formatDuration(getValue()),
    }),
    column.display({
      id: "printed",
      header: "Printed",
      meta: { className: "w-full" },
      cell: ({ row: { original } }) => <Printed call={original} />,
    }),
  ]);

export function Outcome({ outcome }: { outcome: string }) {
  return (
    <span className={`whitespace-nowrap font-medium text-xs ${outcome === "ok" ? "text-muted" : "text-danger"}`}>
      {outcome}
    </span>
  );
}

/** The first line, and how many follow. All of them are in the request. */
function Printed({ call: { lines, error } }: { call: Call }) {
  const texts = [...(error === null ? [] : [error]), ...lines.map(({ text }) => text)];
  const [first = ""] = texts;
  return (
    <span className="flex max-w-md items-baseline gap-2">
      <span className="min-w-0 truncate font-mono text-xs">{first}</span>
      {texts.length > 1 && <span className="flex-none text-muted text-xs">+{texts.length - 1}</span>}
    </span>
  );
}

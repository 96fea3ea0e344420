"use client";

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Pause, Play } from "lucide-react";
import { useEffect, useId, useState } from "react";
import { Failed, Loading } from "../../client/components/lists";
import { columnsOf, DataTable } from "./data-table";
import { type Answers, DashboardPage, formatDuration, useTRPC, useTRPCClient } from "./parts";
import { LogTime, Outcome, RequestDialog } from "./request-dialog";

interface LogsProps {
  /** Of the request to begin with; `null` when none is open. */
  requestId: string | null;
  /** Whose calls to begin with; `""` for all. */
  functionName: string;
}

/** What functions were called, how it went, and what they printed; new calls appear as they come. */
export function Logs({ requestId, functionName }: LogsProps) {
  const [opened, setOpened] = useState(requestId);
  const [filters, setFilters] = useState({ function: functionName, outcome: "", text: "" });
  const [isPaused, setPaused] = useState(false);
  const [columns] = useState(() => callColumns({ onOpen: setOpened }));
  const log = useCallLog(filters, isPaused);
  const Icon = isPaused ? Play : Pause;

  return (
    <DashboardPage
      title="Logs"
      actions={
        <>
          <p role="status" className="text-muted text-sm max-sm:sr-only">
            {isPaused ? "Paused" : "Live"}
          </p>
          <button type="button" onClick={() => setPaused(!isPaused)} className="button button-quiet">
            <Icon aria-hidden="true" className="size-4" />
            {isPaused ? "Go on" : "Pause"}
          </button>
        </>
      }
    >
      <LogFilters filters={filters} onChange={setFilters} />
      {log.error ? (
        <Failed title="The log could not be loaded" error={log.error} onRetry={log.retry} />
      ) : log.isPending ? (
        <Loading>Loading calls…</Loading>
      ) : (
        <DataTable
          label="Calls"
          columns={columns}
          rows={log.calls}
          rowId={({ _id }) => _id}
          empty={log.loadOlder ? "None of the latest calls is like that." : "No call is like that."}
        />
      )}
      {log.loadOlder && (
        <button
          type="button"
          onClick={log.loadOlder}
          disabled={log.isLoadingOlder}
          className="button button-quiet mx-auto mt-4"
        >
          {log.isLoadingOlder ? "Looking…" : "Look further back"}
        </button>
      )}
      <RequestDialog requestId={opened} onClose={() => setOpened(null)} />
    </DashboardPage>
  );
}

type Log = Answers["calls"]["list"];
type Call = Log["calls"][number];

interface LogFilter {
  /** All of these are `""` for any. */
  function: string;
  outcome: string;
  text: string;
}

/** Milliseconds between two looks for new calls, and by how much those of other processes may come late. */
const interval = 1_000;
const lateness = 5_000;
/** Calls of one answer, and calls that are kept. */
const limit = 100;
const most = 2_000;

/** The calls that match, the newest first: those that come while one looks, and older ones when asked for. */
function useCallLog({ function: name, outcome, text }: LogFilter, isPaused: boolean) {
  const client = useTRPCClient().dashboard.calls;
  const queryClient = useQueryClient();
  const wanted = { function: name || undefined, outcome: outcome || undefined, text: text || undefined, limit };
  const queryKey = ["call log", wanted];

  const log = useQuery({
    queryKey,
    queryFn: async () => {
      const known = queryClient.getQueryData<Log>(queryKey);
      const newest = known?.calls[0];
      if (!newest) return client.list.query(wanted);
      const answer = await client.list.query({ ...wanted, after: newest.time - lateness });
      return withNewer(known, answer);
    },
    refetchInterval: isPaused ? false : interval,
    refetchOnMount: !isPaused,
  });

  const older = useMutation({
    mutationFn: (before: string) => client.list.query({ ...wanted, before }),
    onSuccess: ({ calls, nextCursor }) =>
      queryClient.setQueryData<Log>(queryKey, (known) => ({ calls: [...(known?.calls ?? []), ...calls], nextCursor })),
  });

  const nextCursor = log.data?.nextCursor;
  return {
    calls: log.data?.calls ?? [],
    isPending: log.isPending,
    error: log.data ? older.error : log.error,
    retry: () => void log.refetch(),
    /** `null` where there are none. */
    loadOlder: nextCursor ? () => older.mutate(nextCursor) : null,
    isLoadingOlder: older.isPending,
  };
}

/** When so many came that some between are not known, the log begins anew with the latest. */
function withNewer(known: Log, answer: Log): Log {
  const ids = new Set(known.calls.map(({ _id }) => _id));
  const fresh = answer.calls.filter(({ _id }) => !ids.has(_id));
  if (fresh.length === limit) return answer;
  const calls = [...fresh, ...known.calls].sort((one, other) => (one._id < other._id ? 1 : -1));
  const last = calls[most - 1];
  return last ? { calls: calls.slice(0, most), nextCursor: last._id } : { calls, nextCursor: known.nextCursor };
}

/** Milliseconds without a key before what was typed is looked for. */
const pause = 300;

interface LogFiltersProps {
  filters: LogFilter;
  onChange: (filters: LogFilter) => void;
}

function LogFilters({ filters, onChange }: LogFiltersProps) {
  const id = useId();
  const functions = useQuery(useTRPC().dashboard.functions.list.queryOptions());
  const [text, setText] = useState(filters.text);
  useEffect(() => {
    if (text === filters.text) return;
    const timer = setTimeout(() => onChange({ ...filters, text }), pause);
    return () => clearTimeout(timer);
  }, [text, filters, onChange]);

  return (
    <div className="mb-4 grid gap-3 sm:grid-cols-[14rem_10rem_1fr]">
      <div className="grid gap-1">
        <label htmlFor={`${id}-function`} className="font-medium text-muted text-xs">
          Function
        </label>
        <select
          id={`${id}-function`}
          value={filters.function}
          onChange={({ target }) => onChange({ ...filters, function: target.value })}
          className="field"
        >
          <option value="">All functions</option>
          {/* One that was asked for by the address may be gone. */}
          {!functions.data && filters.function && <option>{filters.function}</option>}
          {functions.data?.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
      <div className="grid gap-1">
        <label htmlFor={`${id}-outcome`} className="font-medium text-muted text-xs">
          Outcome
        </label>
        <select
          id={`${id}-outcome`}
          value={filters.outcome}
          onChange={({ target }) => onChange({ ...filters, outcome: target.value })}
          className="field"
        >
          <option value="">Any</option>
          <option value="ok">Succeeded</option>
          <option value="error">Failed</option>
        </select>
      </div>
      <div className="grid gap-1">
        <label htmlFor={`${id}-text`} className="font-medium text-muted text-xs">
          Text
        </label>
        <input
          id={`${id}-text`}
          type="search"
          value={text}
          maxLength={200}
          onChange={({ target }) => setText(target.value)}
          placeholder="In what was printed or thrown"
          className="field"
        />
      </div>
    </div>
  );
}

const column = columnsOf<Call>();

const callColumns = ({ onOpen }: { onOpen: (requestId: string) => void }) =>
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

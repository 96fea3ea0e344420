"use client";

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Pause, Play } from "lucide-react";
import { useEffect, useId, useState } from "react";
import { Failed, Loading } from "../../client/components/lists";
import { columnsOf, DataTable } from "./data-table";
import { type Answers, DashboardPage, formatDuration, useSearch, useTRPC, useTRPCClient } from "./parts";
import { LogTime, Outcome, RequestDialog } from "./request-dialog";

/** The page of the function log. New calls appear as they come. The URL may name what to show at first. */
export function Logs() {
  const search = useSearch();
  const [opened, setOpened] = useState(search.get("request"));
  const [filters, setFilters] = useState({
    function: search.get("function") ?? "",
    outcome: search.get("outcome") ?? "",
    text: "",
  });
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
            {isPaused ? "Resume" : "Pause"}
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
          empty={log.loadOlder ? "None of the latest calls match." : "No calls match."}
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
  /** Each of these is `""` for any. */
  function: string;
  outcome: string;
  text: string;
}

const refetchIntervalMs = 1_000;
/** Calls of other processes may appear in the log this late. */
const latenessMs = 5_000;
const pageSize = 100;
/** The page keeps at most this many calls in memory. */
const maxCalls = 2_000;

/** Returns the calls that match, newest first. New calls are added as they come, and older ones by `loadOlder`. */
function useCallLog({ function: name, outcome, text }: LogFilter, isPaused: boolean) {
  const client = useTRPCClient().dashboard.calls;
  const trpc = useTRPC().dashboard.calls;
  const queryClient = useQueryClient();
  const wanted = {
    function: name || undefined,
    outcome: outcome || undefined,
    text: text || undefined,
    limit: pageSize,
  };
  const options = trpc.list.queryOptions(wanted);
  const { queryKey } = options;

  const log = useQuery({
    ...options,
    queryFn: async () => {
      const known = queryClient.getQueryData<Log>(queryKey);
      const newest = known?.calls[0];
      if (!newest) return client.list.query(wanted);
      const answer = await client.list.query({ ...wanted, after: newest.time - latenessMs });
      return withNewer(known, answer);
    },
    refetchInterval: isPaused ? false : refetchIntervalMs,
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
    /** `null` when there are no older calls. */
    loadOlder: nextCursor ? () => older.mutate(nextCursor) : null,
    isLoadingOlder: older.isPending,
  };
}

/** Adds new calls to the known ones. Starts over with the latest when there may be a gap between them. */
function withNewer(known: Log, answer: Log): Log {
  const ids = new Set(known.calls.map(({ _id }) => _id));
  const fresh = answer.calls.filter(({ _id }) => !ids.has(_id));
  if (fresh.length === pageSize) return answer;
  const calls = [...fresh, ...known.calls].sort((one, other) => (one._id < other._id ? 1 : -1));
  const last = calls[maxCalls - 1];
  return last ? { calls: calls.slice(0, maxCalls), nextCursor: last._id } : { calls, nextCursor: known.nextCursor };
}

/** The search starts this long after the last key. */
const typingPauseMs = 300;

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
    const timer = setTimeout(() => onChange({ ...filters, text }), typingPauseMs);
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
          {/* The function in the URL is shown before the list is loaded. */}
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
          <option value="failed">Failed</option>
          <option value="error">Failed or refused</option>
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
    column.accessor("time", {
      header: "Time",
      meta: { className: "sm:min-w-40" },
      cell: ({ getValue }) => <LogTime at={getValue()} />,
    }),
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
          className="wrap-anywhere block font-mono text-xs sm:whitespace-nowrap"
          style={{ paddingLeft: `${original.depth * 0.75}rem` }}
        >
          {getValue()}
        </span>
      ),
    }),
    column.accessor("outcome", { header: "Outcome", cell: ({ getValue }) => <Outcome outcome={getValue()} /> }),
    column.accessor("duration", {
      header: "Took",
      meta: { className: "whitespace-nowrap sm:text-right tabular-nums text-xs" },
      cell: ({ getValue }) => formatDuration(getValue()),
    }),
    column.display({
      id: "printed",
      header: "Printed",
      meta: { className: "w-full" },
      cell: ({ row: { original } }) => <Printed call={original} />,
    }),
  ]);

/** The first line, and the number of lines that follow it. The dialog of the request shows all of them. */
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

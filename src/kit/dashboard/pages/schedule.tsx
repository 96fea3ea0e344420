"use client";

import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { Ban, RotateCw, X } from "lucide-react";
import Link from "next/link";
import { Tabs } from "radix-ui";
import { useMemo, useState } from "react";
import { ConfirmDialog } from "../../client/components/controls";
import { ErrorText, Failed, Loading } from "../../client/components/lists";
import { Timestamp } from "../../client/components/values";
import { columnsOf, DataTable, Pager, useCursors } from "./data-table";
import { type Answers, DashboardPage, useSearch, useTRPC, useTRPCClient } from "./parts";

const lists = [
  { list: "pending", label: "Pending" },
  { list: "running", label: "Running" },
  { list: "failed", label: "Failed" },
  { list: "recent", label: "Recent" },
] as const;

type List = (typeof lists)[number]["list"];

const isList = (text: string | null): text is List => lists.some(({ list }) => list === text);

/** Functions that run later, run now, or ran, and those that recur. The list in the URL is shown at first. */
export function Schedule() {
  const list = useSearch().get("list");
  const [name, setName] = useState<string>();
  return (
    <DashboardPage title="Schedule">
      <Tabs.Root defaultValue={isList(list) ? list : "pending"} activationMode="manual">
        <Tabs.List
          aria-label="Jobs"
          className="mb-3 flex w-fit max-w-full gap-1 overflow-x-auto rounded-full bg-sunken p-1"
        >
          {lists.map(({ list, label }) => (
            <Tabs.Trigger key={list} value={list} className="tab">
              {label}
            </Tabs.Trigger>
          ))}
        </Tabs.List>
        {name !== undefined && (
          <p className="mb-3 flex items-center gap-1 text-sm">
            Jobs of <span className="font-mono text-xs">{name}</span>
            <button
              type="button"
              onClick={() => setName(undefined)}
              aria-label="Show the jobs of all functions"
              className="icon-button"
            >
              <X aria-hidden="true" className="size-4" />
            </button>
          </p>
        )}
        {lists.map(({ list }) => (
          <Tabs.Content key={list} value={list} className="outline-none">
            <Jobs list={list} name={name} onPick={setName} />
          </Tabs.Content>
        ))}
      </Tabs.Root>
      <h2 className="pt-8 pb-3 font-semibold text-lg tracking-tight">Recurring</h2>
      <Crons />
    </DashboardPage>
  );
}

interface JobsProps {
  list: List;
  /** The function whose jobs are shown. Default: all. */
  name?: string | undefined;
  onPick?: (name: string) => void;
}

/** The jobs in one state, and what can be done with them. */
export function Jobs({ list, name, onPick }: JobsProps) {
  const trpc = useTRPC().dashboard.schedule;
  const client = useTRPCClient();
  const cursors = useCursors(`${list} ${name}`);
  const [canceling, setCanceling] = useState<Job | null>(null);
  const [isCancelingAll, setCancelingAll] = useState(false);
  const { mutate: runAgain, ...again } = useMutation(trpc.runAgain.mutationOptions());
  const jobs = useQuery({
    ...trpc.jobs.queryOptions({ list, name, cursor: cursors.cursor }),
    placeholderData: keepPreviousData,
  });
  const columns = useMemo(
    () => jobColumns({ onCancel: setCanceling, onRunAgain: ({ _id }) => runAgain({ jobId: _id }), onPick }),
    [runAgain, onPick],
  );
  if (jobs.isError) {
    return <Failed title="The jobs could not be loaded" error={jobs.error} onRetry={() => void jobs.refetch()} />;
  }
  if (jobs.isPending) return <Loading>Loading jobs…</Loading>;
  const canCancel = list === "pending" || list === "running";
  const jobsOf = `${list} jobs${name === undefined ? "" : ` of ${name}`}`;
  return (
    <>
      {canCancel && jobs.data.page.length > 0 && (
        <button
          type="button"
          onClick={() => setCancelingAll(true)}
          aria-label={`Cancel all ${jobsOf}`}
          className="button button-quiet mb-3"
        >
          <Ban aria-hidden="true" className="size-4" />
          Cancel all
        </button>
      )}
      {canCancel && (
        <ConfirmDialog
          isOpen={isCancelingAll}
          onOpenChange={setCancelingAll}
          title={`Cancel all ${jobsOf}?`}
          description={`${
            list === "running" ? "They go on, but schedule nothing more." : "They do not run."
          } Recurring functions are left alone.`}
          action="Cancel all"
          onConfirm={async () => {
            await client.dashboard.schedule.cancelAll.mutate({ list, ...(name !== undefined && { name }) });
          }}
        />
      )}
      <DataTable
        label={`Jobs, ${list}`}
        columns={columns}
        rows={jobs.data.page}
        rowId={({ _id }) => _id}
        empty={list === "recent" ? "No job ended in the last week." : `No job is ${list}.`}
      />
      <p role="status" className="text-muted text-sm empty:hidden">
        {again.isSuccess && `Runs again, as job ${again.data}.`}
      </p>
      <ErrorText error={again.error} />
      <Pager cursors={cursors} nextCursor={jobs.data.nextCursor} />
      <ConfirmDialog
        isOpen={canceling !== null}
        onOpenChange={() => setCanceling(null)}
        title={`Cancel ${canceling?.name}?`}
        description={
          canceling?.state === "inProgress"
            ? "It runs already and goes on, but schedules nothing more."
            : "It does not run. You can run it again later, from the recent jobs."
        }
        action="Cancel job"
        onConfirm={async () => {
          if (canceling) await client.dashboard.schedule.cancel.mutate({ jobId: canceling._id });
        }}
      />
    </>
  );
}

export type Job = Answers["schedule"]["jobs"]["page"][number];

const jobColumn = columnsOf<Job>();

interface Actions {
  onCancel: (job: Job) => void;
  onRunAgain: (job: Job) => void;
  onPick?: ((name: string) => void) | undefined;
}

const jobColumns = ({ onCancel, onRunAgain, onPick }: Actions) =>
  jobColumn.columns([
    jobColumn.accessor("name", {
      header: "Function",
      meta: { isTitle: true },
      cell: ({ getValue, row: { original } }) => (
        <span className="wrap-anywhere block font-mono text-xs sm:whitespace-nowrap">
          <button
            type="button"
            onClick={() => onPick?.(getValue())}
            title="Show the jobs of this function"
            className="underline-offset-2 hover:underline"
          >
            {getValue()}
          </button>
          {original.cron !== null && <span className="text-muted"> (recurs)</span>}
        </span>
      ),
    }),
    jobColumn.accessor("args", {
      header: "Arguments",
      cell: ({ getValue }) => {
        const text = JSON.stringify(getValue());
        return (
          <span title={text} className="block max-w-60 truncate font-mono text-muted text-xs">
            {text}
          </span>
        );
      },
    }),
    jobColumn.accessor("scheduledTime", {
      header: "Scheduled",
      meta: { className: "whitespace-nowrap sm:min-w-32" },
      cell: ({ getValue }) => <Timestamp at={getValue()} />,
    }),
    jobColumn.accessor("state", {
      header: "State",
      cell: ({ row: { original } }) => (
        <>
          <JobState state={original.state} error={original.error} />
          <Attempts job={original} />
          {original.error !== null && (
            <span className="block max-w-72 truncate text-muted text-xs">{original.error.split("\n")[0]}</span>
          )}
        </>
      ),
    }),
    jobColumn.display({
      id: "actions",
      header: () => <span className="sr-only">Actions</span>,
      meta: { className: "whitespace-nowrap sm:text-right" },
      cell: ({ row: { original } }) => (
        <span className="flex items-center justify-end">
          <Link
            prefetch={false}
            href={{ pathname: "/dashboard/logs", query: { request: original._id } }}
            className="flex h-11 items-center px-2 text-accent text-xs underline-offset-2 hover:underline"
          >
            Log
          </Link>
          {original.completedTime === null ? (
            <button
              type="button"
              onClick={() => onCancel(original)}
              aria-label={`Cancel ${original.name}`}
              title="Cancel"
              className="icon-button"
            >
              <Ban aria-hidden="true" className="size-4" />
            </button>
          ) : (
            <button
              type="button"
              onClick={() => onRunAgain(original)}
              aria-label={`Run ${original.name} again`}
              title="Run again"
              className="icon-button"
            >
              <RotateCw aria-hidden="true" className="size-4" />
            </button>
          )}
        </span>
      ),
    }),
  ]);

/** How often a job failed, and when it is tried next. */
function Attempts({ job: { failures, maxAttempts, retryAt, completedTime } }: { job: Job }) {
  if (maxAttempts === null && retryAt === null) return null;
  const limit = maxAttempts ?? 1;
  const attempt = Math.min(failures + 1, limit);
  return (
    <span className="block whitespace-nowrap text-muted text-xs">
      {completedTime === null && `Attempt ${attempt} of ${limit}`}
      {completedTime !== null && failures > 0 && `${failures} of ${limit} attempts failed`}
      {retryAt !== null && (
        <>
          , next <Timestamp at={retryAt} />
        </>
      )}
    </span>
  );
}

const cronColumn = columnsOf<Answers["schedule"]["crons"][number]>();

const cronColumns = cronColumn.columns([
  cronColumn.accessor("name", {
    header: "Name",
    meta: { isTitle: true },
    cell: ({ getValue }) => <span className="font-medium">{getValue()}</span>,
  }),
  cronColumn.accessor("function", {
    header: "Function",
    cell: ({ getValue }) => <span className="font-mono text-xs">{getValue()}</span>,
  }),
  cronColumn.accessor("schedule", {
    header: "When",
    cell: ({ getValue }) => <span className="wrap-anywhere font-mono text-xs sm:whitespace-nowrap">{getValue()}</span>,
  }),
  cronColumn.accessor("next", {
    header: "Next",
    meta: { className: "whitespace-nowrap sm:min-w-32" },
    cell: ({ getValue }) => <Timestamp at={getValue()} />,
  }),
  cronColumn.accessor("last", {
    header: "Last",
    meta: { className: "sm:min-w-44" },
    cell: ({ getValue }) => {
      const last = getValue();
      if (!last?.completedTime) return <span className="text-muted">not yet</span>;
      return (
        <span className="flex items-center gap-2 whitespace-nowrap">
          <JobState state={last.state} error={last.error} />
          <Timestamp at={last.completedTime.getTime()} />
        </span>
      );
    },
  }),
]);

/** The recurring functions, and when each runs next. */
function Crons() {
  const crons = useQuery(useTRPC().dashboard.schedule.crons.queryOptions());
  if (crons.isError) {
    return (
      <Failed
        title="The recurring functions could not be loaded"
        error={crons.error}
        onRetry={() => void crons.refetch()}
      />
    );
  }
  if (crons.isPending) return <Loading>Loading…</Loading>;
  return (
    <DataTable
      label="Recurring functions"
      columns={cronColumns}
      rows={crons.data}
      rowId={({ name }) => name}
      empty="There are no recurring functions. Add them to src/functions/crons.ts."
    />
  );
}

const labels: Record<Job["state"], string> = {
  pending: "Pending",
  inProgress: "Running",
  success: "Done",
  failed: "Failed",
  canceled: "Canceled",
};

/** The state of a job. Its tooltip says why the job failed. */
function JobState({ state, error }: { state: Job["state"]; error: string | null }) {
  return (
    <span
      title={error ?? undefined}
      className={`font-medium text-xs ${state === "failed" ? "text-danger" : "text-muted"}`}
    >
      {labels[state]}
    </span>
  );
}

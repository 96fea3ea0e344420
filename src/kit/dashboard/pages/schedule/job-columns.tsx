import { Ban, RotateCw } from "lucide-react";
import Link from "next/link";
import { Timestamp } from "../../../client/components/timestamp";
import type { Answers } from "../parts/api";
import { columnsOf } from "../parts/data-table";
import { JobState } from "./job-state";

export type Job = Answers["schedule"]["jobs"]["page"][number];

const column = columnsOf<Job>();

interface Actions {
  onCancel: (job: Job) => void;
  onRunAgain: (job: Job) => void;
}

export const jobColumns = ({ onCancel, onRunAgain }: Actions) =>
  column.columns([
    column.accessor("name", {
      header: "Function",
      cell: ({ getValue, row: { original } }) => (
        <span className="block whitespace-nowrap font-mono text-xs">
          {getValue()}
          {original.cron !== null && <span className="text-muted"> (recurs)</span>}
        </span>
      ),
    }),
    column.accessor("args", {
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
    column.accessor("scheduledTime", {
      header: "Scheduled",
      meta: { className: "whitespace-nowrap" },
      cell: ({ getValue }) => <Timestamp at={getValue()} />,
    }),
    column.accessor("state", {
      header: "State",
      cell: ({ row: { original } }) => (
        <>
          <JobState state={original.state} error={original.error} />
          {original.error !== null && (
            <span className="block max-w-72 truncate text-muted text-xs">{original.error.split("\n")[0]}</span>
          )}
        </>
      ),
    }),
    column.display({
      id: "actions",
      header: () => <span className="sr-only">Actions</span>,
      meta: { className: "whitespace-nowrap text-right" },
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

import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { ConfirmDialog } from "../../../client/components/confirm-dialog";
import { Failed, Loading } from "../../../client/components/list-state";
import { explainError } from "../../../client/explain-error";
import { useTRPC, useTRPCClient } from "../parts/api";
import { DataTable } from "../parts/data-table";
import { Pager, useCursors } from "../parts/pager";
import { type Job, jobColumns } from "./job-columns";

interface JobsProps {
  list: "pending" | "running" | "failed" | "recent";
}

/** The jobs in one state, and what can be done with them. */
export function Jobs({ list }: JobsProps) {
  const trpc = useTRPC().dashboard.schedule;
  const client = useTRPCClient();
  const cursors = useCursors(list);
  const [canceling, setCanceling] = useState<Job | null>(null);
  const { mutate: runAgain, ...again } = useMutation(trpc.runAgain.mutationOptions());
  const jobs = useQuery({
    ...trpc.jobs.queryOptions({ list, cursor: cursors.cursor }),
    placeholderData: keepPreviousData,
  });
  const columns = useMemo(
    () => jobColumns({ onCancel: setCanceling, onRunAgain: ({ _id }) => runAgain({ jobId: _id }) }),
    [runAgain],
  );
  if (jobs.isError) {
    return <Failed title="The jobs could not be loaded" error={jobs.error} onRetry={() => void jobs.refetch()} />;
  }
  if (jobs.isPending) return <Loading>Loading jobs…</Loading>;
  return (
    <>
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
      {again.isError && (
        <p role="alert" className="text-danger text-sm">
          {explainError(again.error)}
        </p>
      )}
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
        onClosed={() => undefined}
      />
    </>
  );
}

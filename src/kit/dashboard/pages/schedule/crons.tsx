import { useQuery } from "@tanstack/react-query";
import { Failed, Loading } from "../../../client/components/list-state";
import { Timestamp } from "../../../client/components/timestamp";
import type { Answers } from "../parts/api";
import { useTRPC } from "../parts/api";
import { columnsOf, DataTable } from "../parts/data-table";
import { JobState } from "./job-state";

const column = columnsOf<Answers["schedule"]["crons"][number]>();

const columns = column.columns([
  column.accessor("name", {
    header: "Name",
    cell: ({ getValue }) => <span className="font-medium">{getValue()}</span>,
  }),
  column.accessor("function", {
    header: "Function",
    cell: ({ getValue }) => <span className="font-mono text-xs">{getValue()}</span>,
  }),
  column.accessor("schedule", {
    header: "When",
    cell: ({ getValue }) => <span className="whitespace-nowrap font-mono text-xs">{getValue()}</span>,
  }),
  column.accessor("next", {
    header: "Next",
    meta: { className: "whitespace-nowrap" },
    cell: ({ getValue }) => <Timestamp at={getValue()} />,
  }),
  column.accessor("last", {
    header: "Last",
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
export function Crons() {
  const crons = useQuery(useTRPC().dashboard.schedule.crons.queryOptions());
  if (crons.isError) {
    return <Failed title="They could not be loaded" error={crons.error} onRetry={() => void crons.refetch()} />;
  }
  if (crons.isPending) return <Loading>Loading…</Loading>;
  return (
    <DataTable
      label="Recurring functions"
      columns={columns}
      rows={crons.data}
      rowId={({ name }) => name}
      empty="No function recurs; crons.ts is where they are written."
    />
  );
}

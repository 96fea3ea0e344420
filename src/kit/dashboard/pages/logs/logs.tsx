"use client";

import { Pause, Play } from "lucide-react";
import { useState } from "react";
import { Failed, Loading } from "../../../client/components/list-state";
import { DashboardPage } from "../parts/dashboard-page";
import { DataTable } from "../parts/data-table";
import { callColumns } from "./call-columns";
import { LogFilters } from "./log-filters";
import { RequestDialog } from "./request-dialog";
import { useCallLog } from "./use-call-log";

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

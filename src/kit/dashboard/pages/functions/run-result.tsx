import type { UseMutationResult } from "@tanstack/react-query";
import Link from "next/link";
import { explainError } from "../../../client/explain-error";
import type { Answers } from "../parts/api";
import { formatDuration } from "../parts/format-duration";

type Run = Answers["functions"]["run"];

/** What came of a run, and how long it took. */
export function RunResult({
  run,
}: {
  run: Pick<UseMutationResult<Run | null, unknown, never>, "data" | "error" | "isPending">;
}) {
  if (run.error) {
    return (
      <p role="alert" className="mt-4 text-danger text-sm">
        {explainError(run.error)}
      </p>
    );
  }
  if (!run.data || run.isPending) return null;
  const { outcome, milliseconds, requestId } = run.data;
  const isError = "error" in outcome;
  const text = isError ? outcome.error.message : (JSON.stringify(outcome.result, null, 2) ?? "undefined");
  return (
    <div className="mt-5">
      <div role="status" className="flex items-baseline gap-3 pb-1 text-sm">
        <span className={`font-medium ${isError ? "text-danger" : ""}`}>{isError ? outcome.error.code : "Result"}</span>
        <span className="text-muted text-xs tabular-nums">took {formatDuration(milliseconds)}</span>
        <Link
          prefetch={false}
          href={{ pathname: "/dashboard/logs", query: { request: requestId } }}
          className="ml-auto text-accent text-xs underline-offset-2 hover:underline"
        >
          What it printed
        </Link>
      </div>
      <pre
        tabIndex={0}
        className="wrap-anywhere max-h-96 overflow-auto whitespace-pre-wrap rounded-xl bg-sunken p-3 font-mono text-xs"
      >
        {text}
      </pre>
    </div>
  );
}

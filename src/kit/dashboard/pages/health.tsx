"use client";

import { useQuery } from "@tanstack/react-query";
import { CircleAlert, CircleCheck, CircleHelp, RotateCw, TriangleAlert } from "lucide-react";
import { Failed, Loading } from "../../client/components/lists";
import type { Upload } from "../../client/upload-queue";
import { type Answers, CopyButton, DashboardPage, useTRPC } from "./parts";

/** The part before the colon: `Store` for the check `Store: CORS`. */
const groupOf = ({ check }: Finding) => check.split(":")[0] ?? "";

type Finding = Answers["health"]["examine"][number];

/** What the app depends on, and how to repair what is wrong. */
export function Health() {
  const query = useQuery({
    ...useTRPC().dashboard.health.examine.queryOptions({}),
    // The checks write to the store, so they do not run whenever the window is focused.
    staleTime: Number.POSITIVE_INFINITY,
  });
  const findings = query.data ?? [];
  const wrong = findings.filter(({ state }) => state === "problem" || state === "warning");
  const groups = [...new Set(findings.map(groupOf))];
  return (
    <DashboardPage
      title="Health"
      actions={
        <button
          type="button"
          onClick={() => void query.refetch()}
          disabled={query.isFetching}
          className="button button-quiet"
        >
          <RotateCw aria-hidden="true" className={`size-4 ${query.isFetching ? "motion-safe:animate-spin" : ""}`} />
          Check again
        </button>
      }
    >
      {query.isError ? (
        <Failed title="The checks could not be made" error={query.error} onRetry={() => void query.refetch()} />
      ) : query.isPending ? (
        <Loading>Checking what the app depends on…</Loading>
      ) : (
        <>
          <p role="status" className="pb-3 text-muted text-sm">
            {query.isFetching
              ? "Checking again…"
              : wrong.length === 0
                ? "Nothing is wrong."
                : `${wrong.length} of ${findings.length} checks found something.`}
          </p>
          {groups.map((group) => (
            <section key={group} aria-label={group} className="pb-6">
              <h2 className="pb-2 font-semibold text-lg tracking-tight">{group}</h2>
              <ul className="divide-y divide-line rounded-2xl border border-line bg-surface">
                {findings
                  .filter((finding) => groupOf(finding) === group)
                  .map((finding) => (
                    <Row key={finding.check} finding={finding} />
                  ))}
              </ul>
            </section>
          ))}
        </>
      )}
    </DashboardPage>
  );
}

/** Error codes of uploads that fail because of the server, its store, or a proxy between the server and the browser. */
const codes = ["StorageUnavailable", "StorageFull", "InternalServerError", "ConnectionLost", "RequestTimeout"];

/** Finds out why uploads fail. Renders nothing unless an upload failed for one of these reasons. */
export function Diagnosis({ uploads }: { uploads: readonly Upload[] }) {
  const hasFailed = uploads.some(({ error }) => error && codes.includes(error.code));
  const query = useQuery({ ...useTRPC().dashboard.health.examine.queryOptions({}), enabled: hasFailed });
  if (!hasFailed || query.isError) return null;
  const problems = query.data?.filter(({ state }) => state === "problem");
  return (
    <section aria-label="Why uploads fail" className="mb-4 rounded-2xl border border-line bg-surface">
      <p role="status" className="px-4 py-3 text-muted text-sm">
        {problems === undefined
          ? "Looking for the cause…"
          : problems.length === 0
            ? "The checks found no cause. The logs may show it."
            : "This may be the cause:"}
      </p>
      {problems !== undefined && problems.length > 0 && (
        <ul className="divide-y divide-line border-line border-t">
          {problems.map((finding) => (
            <Row key={finding.check} finding={finding} />
          ))}
        </ul>
      )}
    </section>
  );
}

const marks = {
  ok: { icon: CircleCheck, label: "In order", className: "text-muted" },
  warning: { icon: TriangleAlert, label: "Warning", className: "text-danger" },
  problem: { icon: CircleAlert, label: "Problem", className: "text-danger" },
  unknown: { icon: CircleHelp, label: "Not known", className: "text-muted" },
};

function Row({ finding: { check, state, message, fix } }: { finding: Finding }) {
  const { icon: Icon, label, className } = marks[state];
  return (
    <li className="flex gap-3 px-4 py-3 text-sm">
      <Icon aria-label={label} role="img" className={`mt-0.5 size-4 flex-none ${className}`} />
      <div className="min-w-0 flex-1">
        <p className="font-medium first-letter:uppercase">{check.split(": ")[1]}</p>
        <p className="wrap-anywhere text-pretty text-muted">{message}</p>
        {fix && (
          <div className="mt-2 flex items-start gap-1">
            <pre
              // Keyboard users can focus and scroll it.
              tabIndex={0}
              className="max-h-80 min-w-0 flex-1 overflow-auto whitespace-pre-wrap rounded-lg bg-sunken p-3 font-mono text-xs"
            >
              {fix}
            </pre>
            <CopyButton text={fix} label="Copy what to do" />
          </div>
        )}
      </div>
    </li>
  );
}

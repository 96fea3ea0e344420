"use client";

import { useQuery } from "@tanstack/react-query";
import { ArrowRight, CircleCheck, TriangleAlert } from "lucide-react";
import Link from "next/link";
import { Failed, Loading } from "../../client/components/lists";
import { formatBytes } from "../../client/components/values";
import { CallCharts } from "./charts";
import { DashboardPage, Figures, formatCount, formatDuration, useTRPC } from "./parts";

const refetchIntervalMs = 10_000;

/** The first page of the dashboard: problems that need attention, and totals. */
export function Overview() {
  const overview = useQuery({
    ...useTRPC().dashboard.overview.queryOptions(),
    refetchInterval: refetchIntervalMs,
  });
  return (
    <DashboardPage title="Overview">
      {overview.isPending ? (
        <Loading>Loading…</Loading>
      ) : overview.data === undefined ? (
        <Failed
          title="The overview could not be loaded"
          error={overview.error}
          onRetry={() => void overview.refetch()}
        />
      ) : (
        <>
          <Problems problems={overview.data.problems} />
          <h2 className="pb-2 font-medium text-muted text-sm">In the last hour</h2>
          <Figures
            figures={[
              { name: "Calls", value: formatCount(overview.data.calls) },
              { name: "Errors", value: formatCount(overview.data.errors), isBad: overview.data.errors > 0 },
              {
                name: "95 % took at most",
                value: overview.data.p95 === null ? "–" : formatDuration(overview.data.p95),
              },
            ]}
          />
          <h2 className="pt-2 pb-2 font-medium text-muted text-sm">Now</h2>
          <Figures
            figures={[
              { name: "Files", value: formatCount(overview.data.stored.files) },
              { name: "Stored", value: formatBytes(overview.data.stored.bytes) },
              { name: "Jobs that wait", value: formatJobs(overview.data.jobs.pending) },
              { name: "Jobs that run", value: formatJobs(overview.data.jobs.running) },
            ]}
          />
        </>
      )}
      <div className="pt-2">
        <CallCharts />
      </div>
    </DashboardPage>
  );
}

/** The server counts up to a thousand. */
const formatJobs = (count: number) => (count < 1_000 ? formatCount(count) : "1,000 or more");

function Problems({ problems }: { problems: { text: string; href: string }[] }) {
  if (problems.length === 0) {
    return (
      <p role="status" className="card mb-6 flex items-center gap-3 text-sm">
        <CircleCheck aria-hidden="true" className="size-5 flex-none text-accent" />
        Nothing needs your attention.
      </p>
    );
  }
  return (
    <section aria-label="What needs your attention" className="card mb-6 p-2!">
      <ul>
        {problems.map(({ text, href }) => (
          <li key={text}>
            <Link
              prefetch={false}
              href={href}
              className="flex min-h-11 items-center gap-3 rounded-lg px-2 py-1 text-sm hover:bg-sunken"
            >
              <TriangleAlert aria-hidden="true" className="size-5 flex-none text-danger" />
              <span className="wrap-anywhere min-w-0 flex-1">{text}</span>
              <ArrowRight aria-hidden="true" className="size-4 flex-none text-muted" />
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Tabs } from "radix-ui";
import { useState } from "react";
import { useTRPC } from "../parts/api";
import { formatDuration } from "../parts/format-duration";
import { CallChart } from "./call-chart";

/** Spans of time, each in some sixty to ninety parts. */
const spans = [
  { label: "Hour", hours: 1, buckets: 60 },
  { label: "Day", hours: 24, buckets: 96 },
  { label: "Week", hours: 24 * 7, buckets: 84 },
];

const counts = [
  { key: "calls", name: "Calls", color: "--accent" },
  { key: "errors", name: "Errors", color: "--danger" },
] as const;

const durations = [
  { key: "p50", name: "p50", color: "--accent" },
  { key: "p95", name: "p95", color: "--muted" },
  { key: "p99", name: "p99", color: "--danger" },
] as const;

const number = new Intl.NumberFormat("en");

/** Milliseconds between two looks. */
const interval = 10_000;

/** How often a function was called, how often it failed, and how long it took; of all functions without a name. */
export function CallCharts({ name }: { name?: string }) {
  const [span, setSpan] = useState(spans[0]?.label ?? "");
  const { hours = 1, buckets = 60 } = spans.find(({ label }) => label === span) ?? {};
  const stats = useQuery({
    ...useTRPC().dashboard.calls.stats.queryOptions({ function: name, hours, buckets }),
    placeholderData: keepPreviousData,
    refetchInterval: interval,
  });
  const data = stats.data ?? [];
  const calls = data.reduce((sum, bucket) => sum + bucket.calls, 0);
  const errors = data.reduce((sum, bucket) => sum + bucket.errors, 0);
  const slowest = Math.max(0, ...data.map(({ p99 }) => p99 ?? 0));

  return (
    <Tabs.Root value={span} onValueChange={setSpan} asChild>
      <section aria-label="Calls over time" className="rounded-2xl border border-line bg-surface p-4 sm:p-6">
        <div className="mb-4 flex flex-wrap items-center gap-2">
          <h2 className="flex-1 font-semibold">{name ? "Calls" : "Calls of all functions"}</h2>
          <Tabs.List aria-label="Span" className="flex gap-1 rounded-full bg-sunken p-1">
            {spans.map(({ label }) => (
              <Tabs.Trigger key={label} value={label} className="tab">
                {label}
              </Tabs.Trigger>
            ))}
          </Tabs.List>
        </div>
        <Tabs.Content value={span} className="grid gap-6 outline-none">
          <CallChart
            title="Calls and errors"
            summary={`${calls === 1 ? "1 call" : `${number.format(calls)} calls`}, ${number.format(errors)} failed`}
            data={data}
            hours={hours}
            series={counts}
            format={number.format}
          />
          <CallChart
            title="Duration"
            summary={calls > 0 ? `99 % took at most ${formatDuration(slowest)} at the slowest` : "no calls"}
            data={data}
            hours={hours}
            series={durations}
            format={formatDuration}
          />
        </Tabs.Content>
      </section>
    </Tabs.Root>
  );
}

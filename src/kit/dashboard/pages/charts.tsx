import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Tabs } from "radix-ui";
import { useEffect, useMemo, useRef, useState } from "react";
import { type Answers, formatDuration, useTRPC } from "./parts";

/** The spans of time to choose from. */
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

const refetchIntervalMs = 10_000;

/** Charts of the calls, errors and durations of a function, or of all functions when there is no `name`. */
export function CallCharts({ name }: { name?: string }) {
  const [span, setSpan] = useState(spans[0]?.label ?? "");
  const { hours = 1, buckets = 60 } = spans.find(({ label }) => label === span) ?? {};
  const stats = useQuery({
    ...useTRPC().dashboard.calls.stats.queryOptions({ function: name, hours, buckets }),
    placeholderData: keepPreviousData,
    refetchInterval: refetchIntervalMs,
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

type Bucket = Answers["calls"]["stats"][number];

interface CallChartProps {
  title: string;
  /** Describes the chart in words, for people who do not see it. */
  summary: string;
  data: Bucket[];
  /** How many hours the data spans. */
  hours: number;
  /** `color` is the name of a color in globals.css. */
  series: readonly { key: Exclude<keyof Bucket, "time">; name: string; color: string }[];
  format: (value: number) => string;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const date = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** A line chart, with the values at the time that the pointer or the arrow keys choose. */
function CallChart({ title, summary, data, hours, series, format }: CallChartProps) {
  const [at, setAt] = useState<number | null>(null);
  const bucket = at === null ? undefined : data[at];
  const times = useMemo(() => data.map(({ time }) => time), [data]);
  const lines = useMemo(
    () => series.map(({ key, color }) => ({ color, values: data.map((bucket) => bucket[key]) })),
    [data, series],
  );
  const figures = series.map((line) => ({ ...line, value: bucket?.[line.key] ?? null }));
  const words = figures.map(({ name, value }) => `${name}: ${value === null ? "none" : format(value)}`).join(", ");

  return (
    <figure className="rounded-lg outline-accent outline-offset-4 has-focus-visible:outline-2">
      <figcaption className="mb-2 flex flex-wrap items-baseline gap-x-3 text-sm">
        <span className="font-medium">{title}</span>
        <span className="text-muted text-xs">{summary}</span>
      </figcaption>
      <LineChart
        times={times}
        lines={lines}
        formatTime={(hours > 24 ? date : clock).format}
        formatValue={format}
        at={at}
        onAt={setAt}
      />
      <div className="mt-1 flex min-h-5 flex-wrap items-center justify-center gap-x-4 text-xs tabular-nums">
        {figures.map(({ key, name, color, value }) => (
          <span key={key} className="flex items-center gap-1.5">
            <span aria-hidden="true" className="h-0.5 w-3" style={{ background: `var(${color})` }} />
            {name}
            {value !== null && <span className="font-medium">{format(value)}</span>}
          </span>
        ))}
        {bucket && <span className="text-muted">{full.format(bucket.time)}</span>}
      </div>
      {data.length > 0 && (
        <input
          type="range"
          className="sr-only"
          aria-label={`Time of ${title.toLowerCase()}`}
          aria-valuetext={bucket ? `${full.format(bucket.time)}: ${words}` : "none chosen"}
          max={data.length - 1}
          value={at ?? data.length - 1}
          onChange={(event) => setAt(event.target.valueAsNumber)}
          onBlur={() => setAt(null)}
        />
      )}
    </figure>
  );
}

interface LineChartProps {
  /** In milliseconds since the epoch, ascending. */
  times: number[];
  lines: Line[];
  formatTime: (time: number) => string;
  formatValue: (value: number) => string;
  /** The index of the chosen time in `times`. */
  at: number | null;
  onAt: (at: number | null) => void;
}

interface Line {
  /** One value for each of `times`. */
  values: (number | null)[];
  /** The name of a color in globals.css. */
  color: string;
}

const height = 200;
const whole = Array.from({ length: 30 }, (_, i) => [1, 2, 5].map((first) => first * 10 ** i)).flat();

/** Draws lines over time with uPlot, as wide as its container, in the colors of the light or dark theme. */
function LineChart({ times, lines, formatTime, formatValue, at, onAt }: LineChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(null);

  useEffect(() => {
    if (!frame.current) return;
    const plot = new uPlot(
      {
        width: frame.current.clientWidth,
        height,
        ms: 1,
        padding: [8, 8, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false } },
        scales: { y: { range: (_, _min, max: number | null) => [0, Math.max(1, (max ?? 0) * 1.1)] } },
        axes: [
          { ...axis, size: 32, space: 64, grid: { show: false }, values: (_, splits) => splits.map(formatTime) },
          { ...axis, size: 64, incrs: whole, values: (_, splits) => splits.map(formatValue) },
        ],
        series: [
          {},
          ...lines.map(({ values, color: name }) => ({
            stroke: color(name),
            width: 1.75,
            spanGaps: true,
            // A point between two nulls has no line, so it is drawn as a dot.
            points: { show: values.includes(null), size: 4 },
          })),
        ],
        hooks: { setCursor: [({ cursor }) => onAt(cursor.idx ?? null)] },
      },
      [times, ...lines.map(({ values }) => values)],
      frame.current,
    );
    chart.current = plot;

    const resizing = new ResizeObserver(([entry]) => entry && plot.setSize({ width: entry.contentRect.width, height }));
    resizing.observe(frame.current);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const redraw = () => plot.redraw();
    dark.addEventListener("change", redraw);
    return () => {
      resizing.disconnect();
      dark.removeEventListener("change", redraw);
      plot.destroy();
    };
  }, [times, lines, formatTime, formatValue, onAt]);

  useEffect(() => {
    const time = at === null ? undefined : times[at];
    if ((chart.current?.cursor.idx ?? null) === at) return;
    chart.current?.setCursor({ left: time === undefined ? -1 : chart.current.valToPos(time, "x"), top: 0 });
  });

  return <div ref={frame} style={{ height }} />;
}

/** Returns a function that reads a color for each drawing, because a canvas does not support `var()`. */
function color(name: string) {
  return () => getComputedStyle(document.documentElement).getPropertyValue(name);
}

const axis: uPlot.Axis = {
  stroke: color("--muted"),
  font: "12px system-ui, sans-serif",
  grid: { stroke: color("--line"), width: 1 },
  ticks: { stroke: color("--line-strong"), width: 1 },
};

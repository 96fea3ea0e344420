import { useMemo, useState } from "react";
import type { Answers } from "../parts/api";
import { LineChart } from "./line-chart";

type Bucket = Answers["calls"]["stats"][number];

interface CallChartProps {
  title: string;
  /** The same in words, for who does not see it. */
  summary: string;
  data: Bucket[];
  /** That the data are of. */
  hours: number;
  /** `color` is the name of one of globals.css. */
  series: readonly { key: Exclude<keyof Bucket, "time">; name: string; color: string }[];
  format: (value: number) => string;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const date = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Figures over time, as lines, with those of the time that is pointed at, or chosen with the arrow keys. */
export function CallChart({ title, summary, data, hours, series, format }: CallChartProps) {
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

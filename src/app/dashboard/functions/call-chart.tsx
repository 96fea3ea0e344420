import { CartesianGrid, Legend, Line, LineChart, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import type { Answers } from "../_parts/api";

type Bucket = Answers["calls"]["stats"][number];

interface CallChartProps {
  title: string;
  /** The same in words, for who does not see it. */
  summary: string;
  data: Bucket[];
  /** That the data are of. */
  hours: number;
  series: { key: Exclude<keyof Bucket, "time">; name: string; color: string }[];
  format: (value: number) => string;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const date = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Figures over time, as lines. */
export function CallChart({ title, summary, data, hours, series, format }: CallChartProps) {
  const hasGaps = data.some((bucket) => series.some(({ key }) => bucket[key] === null));
  const tick = { fill: "var(--muted)", fontSize: 12 };
  return (
    <figure>
      <figcaption className="mb-2 flex flex-wrap items-baseline gap-x-3 text-sm">
        <span className="font-medium">{title}</span>
        <span className="text-muted text-xs">{summary}</span>
      </figcaption>
      <ResponsiveContainer width="100%" height={200}>
        <LineChart data={data} margin={{ top: 4, right: 8, bottom: 0, left: 0 }} title={`${title}: ${summary}`}>
          <CartesianGrid vertical={false} stroke="var(--line)" />
          <XAxis
            dataKey="time"
            type="number"
            domain={["dataMin", "dataMax"]}
            tickFormatter={(time: number) => (hours > 24 ? date : clock).format(time)}
            tick={tick}
            stroke="var(--line-strong)"
            minTickGap={40}
          />
          <YAxis tickFormatter={format} allowDecimals={false} tick={tick} stroke="var(--line-strong)" width={64} />
          <Tooltip
            labelFormatter={(time) => full.format(Number(time))}
            formatter={(value) => format(Number(value))}
            contentStyle={{ background: "var(--surface)", border: "1px solid var(--line)", borderRadius: "0.75rem" }}
            isAnimationActive={false}
          />
          <Legend formatter={(name: string) => <span className="text-ink text-xs">{name}</span>} />
          {series.map(({ key, name, color }) => (
            <Line
              key={key}
              dataKey={key}
              name={name}
              stroke={color}
              strokeWidth={1.75}
              // Between nulls there is nothing to connect.
              dot={hasGaps && { r: 2 }}
              connectNulls
              isAnimationActive={false}
            />
          ))}
        </LineChart>
      </ResponsiveContainer>
    </figure>
  );
}

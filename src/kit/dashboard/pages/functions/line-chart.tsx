import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

interface LineChartProps {
  /** Milliseconds since 1970, ascending. */
  times: number[];
  lines: Line[];
  formatTime: (time: number) => string;
  formatValue: (value: number) => string;
  /** Which of `times` is pointed at. */
  at: number | null;
  onAt: (at: number | null) => void;
}

interface Line {
  /** One for each of `times`. */
  values: (number | null)[];
  /** The name of a color of globals.css. */
  color: string;
}

const height = 200;
const whole = Array.from({ length: 30 }, (_, i) => [1, 2, 5].map((first) => first * 10 ** i)).flat();

/** Lines over time, as wide as there is room, in the colors of the light or the dark palette. */
export function LineChart({ times, lines, formatTime, formatValue, at, onAt }: LineChartProps) {
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
            // Between nulls there is nothing to connect.
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

/** @returns what a canvas is to draw with, read anew for each drawing: a canvas knows no `var()`. */
function color(name: string) {
  return () => getComputedStyle(document.documentElement).getPropertyValue(name);
}

const axis: uPlot.Axis = {
  stroke: color("--muted"),
  font: "12px system-ui, sans-serif",
  grid: { stroke: color("--line"), width: 1 },
  ticks: { stroke: color("--line-strong"), width: 1 },
};

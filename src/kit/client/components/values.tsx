import {
  File,
  FileArchive,
  FileCode,
  FileImage,
  FileMusic,
  FileSpreadsheet,
  FileText,
  FileVideo,
  type LucideIcon,
} from "lucide-react";
import { memo, useSyncExternalStore } from "react";

const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** `1_234_567` → `"1.2 MB"` */
export function formatBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  const format = new Intl.NumberFormat("en", {
    style: "unit",
    unit: units[power],
    unitDisplay: power === 0 ? "long" : "short",
    maximumFractionDigits: power === 0 ? 0 : 1,
  });
  return format.format(bytes / 1000 ** power);
}

// Creating a formatter takes as long as rendering a row, so each is created once.
const time = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit", day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

/** Whether the browser has taken over from the server, which knows neither the visitor's time zone nor the URL they see. */
export const useIsHydrated = () => useSyncExternalStore(never, isTrue, isFalse);

/** A time in the visitor's time zone and language. The server knows neither, so it renders an empty element. */
export const Timestamp = memo(function Timestamp({ at }: { at: number }) {
  const isHydrated = useIsHydrated();
  const date = new Date(at);
  return (
    <time
      dateTime={date.toISOString()}
      title={isHydrated ? full.format(date) : undefined}
      className="shrink-0 text-muted text-xs tabular-nums"
    >
      {isHydrated && (date.toDateString() === new Date().toDateString() ? time : day).format(date)}
    </time>
  );
});

const never = () => () => undefined;
const isTrue = () => true;
const isFalse = () => false;

/** The name of a file on one line. When it does not fit, its beginning is cut and its extension stays visible. */
export function ShortName({ name }: { name: string }) {
  const [, stem = name, end = ""] = /^(.+?)(.{0,4}\.\w{1,8})$/s.exec(name) ?? [];
  return (
    <span dir="auto" className="flex min-w-0">
      <span className="truncate whitespace-pre">{stem}</span>
      <span className="flex-none whitespace-pre">{end}</span>
    </span>
  );
}

const icons: [RegExp, LucideIcon][] = [
  [/^image\//, FileImage],
  [/^video\//, FileVideo],
  [/^audio\//, FileMusic],
  [/zip|tar|compressed|rar|7z/, FileArchive],
  [/csv|spreadsheet|excel/, FileSpreadsheet],
  [/html|json|javascript|xml|css/, FileCode],
  [/^text\/|pdf|document|msword/, FileText],
];

/** An icon for the type of a file, or the picture at `imageUrl`. */
export function FileIcon({ type, imageUrl }: { type: string; imageUrl: string | null }) {
  const Icon = icons.find(([pattern]) => pattern.test(type))?.[1] ?? File;
  return (
    <span
      aria-hidden="true"
      className="grid size-10 flex-none place-items-center rounded-lg bg-center bg-cover bg-sunken text-muted"
      style={imageUrl ? { backgroundImage: `url("${imageUrl}")` } : undefined}
    >
      {!imageUrl && <Icon className="size-5" />}
    </span>
  );
}

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

// Making a format takes as long as rendering a row, so each is made once.
const time = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit", day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

/** A time in the visitor's own zone and language, which the server does not know: it leaves the place empty. */
export const Timestamp = memo(function Timestamp({ at }: { at: number }) {
  const isHydrated = useSyncExternalStore(never, isTrue, isFalse);
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

/** The name of a file in one line. When there is no room for it, its end stays visible, with its extension. */
export function ShortName({ name }: { name: string }) {
  const [, stem = name, end = ""] = /^(.+?)(.{0,4}\.\w{1,8})$/s.exec(name) ?? [];
  return (
    <span className="flex min-w-0">
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

/** What kind of file it is, or with `imageUrl` what it shows. */
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

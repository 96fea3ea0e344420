import { useSyncExternalStore } from "react";

const time: Intl.DateTimeFormatOptions = { hour: "numeric", minute: "2-digit" };
const day: Intl.DateTimeFormatOptions = { ...time, day: "numeric", month: "short" };
const full: Intl.DateTimeFormatOptions = { dateStyle: "full", timeStyle: "short" };

/** A time in the visitor's own zone and language, which the server does not know: it leaves the place empty. */
export function Timestamp({ at }: { at: number }) {
  const isHydrated = useSyncExternalStore(never, isTrue, isFalse);
  const date = new Date(at);
  return (
    <time
      dateTime={date.toISOString()}
      title={isHydrated ? format(date, full) : undefined}
      className="shrink-0 text-muted text-xs tabular-nums"
    >
      {isHydrated && format(date, date.toDateString() === new Date().toDateString() ? time : day)}
    </time>
  );
}

function format(date: Date, options: Intl.DateTimeFormatOptions) {
  return new Intl.DateTimeFormat(undefined, options).format(date);
}

const never = () => () => undefined;
const isTrue = () => true;
const isFalse = () => false;

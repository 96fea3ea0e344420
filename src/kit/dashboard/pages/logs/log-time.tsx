const format = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
});

/** A time to the millisecond. What shows it is never rendered by the server, which does not know the zone. */
export function LogTime({ at }: { at: number }) {
  return (
    <time dateTime={new Date(at).toISOString()} className="whitespace-nowrap font-mono text-muted text-xs">
      {format.format(at)}
    </time>
  );
}

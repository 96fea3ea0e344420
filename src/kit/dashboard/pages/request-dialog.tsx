import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { Dialog } from "radix-ui";
import { Failed, Loading } from "../../client/components/lists";
import { useIsHydrated } from "../../client/components/values";
import { type Answers, CopyButton, formatDuration, useDialog, useTRPC } from "./parts";

interface RequestDialogProps {
  /** The request to show, or `null` when the dialog is closed. */
  requestId: string | null;
  onClose: () => void;
}

/** The calls of one request, and everything that they printed. */
export function RequestDialog({ requestId, onClose }: RequestDialogProps) {
  const trpc = useTRPC();
  const dialog = useDialog(onClose);
  const request = useQuery({
    ...trpc.dashboard.calls.request.queryOptions({ requestId: requestId ?? "" }),
    enabled: requestId !== null,
    // The calls of a request that has just ended may not be written yet.
    refetchInterval: ({ state }) => (state.data?.calls.length === 0 ? 1_000 : false),
  });
  return (
    <Dialog.Root open={requestId !== null} onOpenChange={onClose}>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-overlay" />
        <Dialog.Content {...dialog} className="dialog max-w-4xl!" aria-describedby={undefined}>
          <div className="-mt-2 -mr-3 flex items-center">
            <Dialog.Title className="min-w-0 flex-1 truncate font-semibold text-sm">
              Request <span className="font-mono font-normal">{requestId}</span>
            </Dialog.Title>
            <CopyButton text={requestId ?? ""} label="Copy the request id" />
            <Dialog.Close aria-label="Close" title="Close" className="icon-button">
              <X aria-hidden="true" className="size-5" />
            </Dialog.Close>
          </div>
          {request.isError ? (
            <Failed
              title="The request could not be loaded"
              error={request.error}
              onRetry={() => void request.refetch()}
            />
          ) : request.data === undefined ? (
            <Loading>Loading the request…</Loading>
          ) : (
            <Details {...request.data} />
          )}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Details({ calls, lines }: Answers["calls"]["request"]) {
  if (calls.length === 0)
    return <p className="py-6 text-center text-muted text-sm">There is no record of this request.</p>;
  return (
    <>
      <h3 className="pt-3 pb-1 font-medium text-muted text-xs">Calls</h3>
      <ul className="grid gap-1.5">
        {calls.map(({ _id, function: name, outcome, duration, depth, error }) => (
          <li key={_id} style={{ paddingLeft: `${depth}rem` }}>
            <span className="flex flex-wrap items-baseline gap-x-3">
              <span className="font-mono text-sm">{name}</span>
              <Outcome outcome={outcome} />
              <span className="text-muted text-xs tabular-nums">{formatDuration(duration)}</span>
            </span>
            {error !== null && (
              <pre className="wrap-anywhere whitespace-pre-wrap font-mono text-danger text-xs">{error}</pre>
            )}
          </li>
        ))}
      </ul>
      <h3 className="pt-4 pb-1 font-medium text-muted text-xs">Lines</h3>
      {lines.length === 0 && <p className="text-muted text-sm">It printed nothing.</p>}
      <ol className="grid gap-1">
        {lines.map(({ number, time, level, text, function: name }) => (
          <li key={number} className="grid gap-x-3 sm:grid-cols-[auto_1fr]">
            <span className="flex items-baseline gap-2">
              <LogTime at={time} />
              <span className={`w-10 text-xs ${level === "error" || level === "warn" ? "text-danger" : "text-muted"}`}>
                {level}
              </span>
            </span>
            <pre title={name} className="wrap-anywhere whitespace-pre-wrap font-mono text-xs">
              {text}
            </pre>
          </li>
        ))}
      </ol>
    </>
  );
}

const format = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
});

/** A time with milliseconds. The server does not know the time zone, so what it renders is not visible. */
export function LogTime({ at }: { at: number }) {
  const isHydrated = useIsHydrated();
  return (
    <time dateTime={new Date(at).toISOString()} className="whitespace-nowrap font-mono text-muted text-xs">
      {isHydrated ? format.format(at) : <span className="invisible">Jan 10, 00:00:00.000</span>}
    </time>
  );
}

export function Outcome({ outcome }: { outcome: string }) {
  return (
    <span className={`whitespace-nowrap font-medium text-xs ${outcome === "ok" ? "text-muted" : "text-danger"}`}>
      {outcome}
    </span>
  );
}

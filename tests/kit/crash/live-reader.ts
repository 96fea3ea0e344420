import { QueryObserver } from "@tanstack/react-query";
import { createTRPCClient, httpBatchLink, httpSubscriptionLink, splitLink } from "@trpc/client";
import { createLiveQueries, noteReads } from "~/kit/client/live-queries";
import { makeQueryClient } from "~/kit/client/query-client";
import type { KitRouter } from "~/kit/functions/router";
import { transformer } from "~/kit/functions/transformer";

/**
 * `EventSource` as the HTML standard has it, as far as tRPC uses it: Node has none. It does not connect again by itself, which
 * tRPC takes for closed.
 */
class EventStream extends EventTarget {
  readonly CLOSED = 2;
  readyState = 0;
  private readonly end = new AbortController();

  constructor(url: string | URL) {
    super();
    this.read(String(url)).catch(() => {
      if (this.end.signal.aborted) return;
      this.readyState = this.CLOSED;
      this.dispatchEvent(new Event("error"));
    });
  }

  private async read(url: string): Promise<void> {
    const response = await fetch(url, { headers: { Accept: "text/event-stream" }, signal: this.end.signal });
    if (!response.ok || !response.body) throw new Error(`${response.status}`);
    this.readyState = 1;
    let text = "";
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const events = (text + chunk).split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) this.dispatch(event);
    }
    throw new Error("The stream ended");
  }

  private dispatch(event: string): void {
    const fields = Object.fromEntries(event.split("\n").map((line) => line.split(/: (.*)/s).slice(0, 2)));
    const { event: type = "message", data = "", id: lastEventId = "" } = fields;
    this.dispatchEvent(new MessageEvent(type, { data, lastEventId }));
  }

  close(): void {
    this.readyState = this.CLOSED;
    this.end.abort();
  }
}

/**
 * A tab that shows the result of one query, with the kit's own client. It needs a `document`, a `window` and a `navigator`.
 *
 * @param onResult called with each result that the tab would show
 * @returns what closes the tab
 */
export function openTab(origin: string, path: string, onResult: (result: unknown) => void): () => void {
  const url = `${origin}/api/trpc`;
  const queryClient = makeQueryClient();
  const client = createTRPCClient<KitRouter>({
    links: [
      noteReads,
      splitLink({
        condition: ({ type }) => type === "subscription",
        // The type of the browser's class has more than tRPC uses.
        true: httpSubscriptionLink({ url, transformer, EventSource: EventStream as never }),
        false: httpBatchLink({ url, transformer }),
      }),
    ],
  });
  const ask = async () => {
    const link = new URLSearchParams({ input: transformer.stringify({}) });
    const response = await fetch(`${url}/${path}?${link}`, { signal: AbortSignal.timeout(30_000) });
    if (!response.ok) throw new Error(`${response.status}`);
    const { result } = await response.json();
    return transformer.deserialize(result.data);
  };
  const observer = new QueryObserver(queryClient, { queryKey: [path.split(".")], queryFn: ask, retryDelay: 200 });
  const unobserve = observer.subscribe(({ data }) => data !== undefined && onResult(data));
  const stop = createLiveQueries(queryClient, client).start();
  return () => {
    stop();
    unobserve();
    queryClient.clear();
  };
}

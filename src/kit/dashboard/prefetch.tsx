import "server-only";
import type { ReactNode } from "react";
import type { KitRouter } from "../functions/router";
import { createServerApi, Prefetched, queryClient, viewer } from "../pages";
import { filtersOf } from "./pages/data-filters";

interface PrefetchProps {
  /** The app, which `kit.app` returned. */
  app: { router: KitRouter };
  page: keyof typeof pages;
  /** The parameters as Next.js passes them to a page. */
  searchParams?: Promise<Record<string, string | string[] | undefined>>;
  children: ReactNode;
}

/** Renders a page of the dashboard with what it shows at first, so that the browser need not ask for it. */
export async function Prefetch({ app: { router }, page, searchParams, children }: PrefetchProps) {
  const api = createServerApi({ router }).dashboard;
  const search = new URLSearchParams();
  for (const [name, values] of Object.entries((await searchParams) ?? {})) {
    for (const value of [values ?? []].flat()) search.append(name, value);
  }
  await Promise.all(await pages[page](api, search));
  return <Prefetched>{children}</Prefetched>;
}

type Api = ReturnType<typeof createServerApi<KitRouter>>["dashboard"];

/** An error is left to the browser, which asks again. */
const ask: ReturnType<typeof queryClient>["prefetchQuery"] = (options) => queryClient().prefetchQuery(options);

/** What charts show at first. */
const lastHour = { hours: 1, buckets: 60 };

/** What each page asks for at first. The arguments must equal those of the page, or the browser asks again. */
const pages = {
  overview: ({ overview, calls }: Api) => [ask(overview.queryOptions()), ask(calls.stats.queryOptions(lastHour))],
  data({ data }: Api, search: URLSearchParams) {
    const table = search.get("table");
    const tables = ask(data.tables.queryOptions());
    if (table === null) return [tables];
    const filters = filtersOf(search.getAll("filter"));
    return [tables, ask(data.rows.queryOptions({ table, filters, cursor: null }))];
  },
  files: ({ files }: Api) => [
    ask(files.total.queryOptions()),
    ask(files.list.queryOptions({ cursor: null, sort: "uploaded", direction: "desc" })),
  ],
  async functions({ functions, calls, users }: Api, search: URLSearchParams) {
    const name = search.get("name");
    const identity = await viewer();
    return [
      ask(functions.list.queryOptions()),
      ask(calls.stats.queryOptions({ function: name ?? undefined, ...lastHour })),
      ...(name === null ? [] : [ask(users.list.queryOptions({ search: identity?.email ?? "" }))]),
    ];
  },
  schedule: ({ schedule }: Api, search: URLSearchParams) => [
    ...(search.has("list") ? [] : [ask(schedule.jobs.queryOptions({ list: "pending", cursor: null }))]),
    ask(schedule.crons.queryOptions()),
  ],
  logs: ({ functions, calls }: Api, search: URLSearchParams) => [
    ask(functions.list.queryOptions()),
    ask(
      calls.list.queryOptions({
        function: search.get("function") || undefined,
        outcome: search.get("outcome") || undefined,
        limit: 100,
      }),
    ),
  ],
  users: ({ users }: Api) => [ask(users.list.queryOptions({ kind: "accounts", search: "", cursor: null }))],
  settings: ({ settings }: Api) => [ask(settings.list.queryOptions())],
  api: ({ settings }: Api) => [ask(settings.api.queryOptions())],
};

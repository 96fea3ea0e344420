"use client";

import { useMutation, useQuery } from "@tanstack/react-query";
import { ChevronLeft, Lock, Play, Send } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import { Failed, Loading } from "../../client/components/lists";
import { useIsHydrated } from "../../client/components/values";
import { CallCharts } from "./charts";
import { curlOf, curlOfRequest } from "./curl";
import { DashboardPage, useSearch, useTRPC, useTRPCClient } from "./parts";
import { ArgsForm, type HttpRequest, RequestForm, RunAs, RunResult, SubmitRow, useRunner } from "./run-form";
import type { Fn } from "./schema-fields";

/** The page of all functions, with charts, and a form that runs the one that the URL names. */
export function Functions() {
  const name = useSearch().get("name");
  const functions = useQuery(useTRPC().dashboard.functions.list.queryOptions());
  const chosen = functions.data?.find((fn) => fn.name === name);
  return (
    <DashboardPage title="Functions">
      {functions.isError ? (
        <Failed
          title="The functions could not be loaded"
          error={functions.error}
          onRetry={() => void functions.refetch()}
        />
      ) : functions.isPending ? (
        <Loading>Loading functions…</Loading>
      ) : (
        <div className="grid grid-cols-1 items-start gap-6 lg:grid-cols-[19rem_minmax(0,1fr)]">
          <div className={name === null ? "" : "max-lg:hidden"}>
            <FunctionList functions={functions.data} chosen={name} />
          </div>
          <div className="grid min-w-0 grid-cols-1 gap-6">
            {name !== null && (
              <Link
                prefetch={false}
                href="/dashboard/functions"
                className="-mt-2 -mb-4 flex h-11 w-fit items-center gap-1 text-accent text-sm lg:hidden"
              >
                <ChevronLeft aria-hidden="true" className="size-4" />
                All functions
              </Link>
            )}
            {chosen && <FunctionDetails key={chosen.name} fn={chosen} />}
            {name !== null && !chosen && <p className="text-muted text-sm">There is no function {name}.</p>}
            {(name === null || chosen) && <CallCharts name={chosen?.name} />}
          </div>
        </div>
      )}
    </DashboardPage>
  );
}

export const kinds = { query: "Query", mutation: "Mutation", action: "Action", httpAction: "HTTP action" };

interface FunctionListProps {
  functions: readonly Fn[];
  chosen: string | null;
}

function FunctionList({ functions, chosen }: FunctionListProps) {
  const [text, setText] = useState("");
  const shown = functions.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
  return (
    <div className="grid gap-3">
      <input
        type="search"
        aria-label="Find a function"
        placeholder="Find a function"
        value={text}
        onChange={({ target }) => setText(target.value)}
        className="field"
      />
      <nav aria-label="Functions" className="overflow-hidden rounded-2xl border border-line bg-surface">
        <ul>
          {shown.map(({ name, kind, isInternal }) => (
            <li key={name} className="border-line not-first:border-t">
              <Link
                prefetch={false}
                href={{ pathname: "/dashboard/functions", query: { name } }}
                aria-current={name === chosen ? "true" : undefined}
                className="flex min-h-11 items-center gap-2 px-3 -outline-offset-2 hover:bg-sunken aria-[current]:bg-sunken"
              >
                <span className="wrap-anywhere min-w-0 flex-1 py-1 font-mono text-xs">{name}</span>
                {isInternal && (
                  <>
                    <Lock aria-hidden="true" className="size-3.5 flex-none text-muted" />
                    <span className="sr-only">Internal</span>
                  </>
                )}
                <span className="flex-none text-muted text-xs">{kinds[kind]}</span>
              </Link>
            </li>
          ))}
        </ul>
        {shown.length === 0 && <p className="p-4 text-center text-muted text-sm">No functions match.</p>}
      </nav>
    </div>
  );
}

/** A form with the arguments of a function, and the result of running it. */
function FunctionDetails({ fn }: { fn: Fn }) {
  const { functions } = useTRPCClient().dashboard;
  const runner = useRunner();
  const { userId } = runner;
  const isSignedIn = userId !== null;
  const origin = useIsHydrated() ? window.location.origin : "";

  const run = useMutation({
    mutationFn: async (given: { args: Record<string, unknown> } | { request: HttpRequest }) => {
      if (userId === undefined) return null;
      return "args" in given
        ? functions.run.mutate({ name: fn.name, args: given.args, userId })
        : functions.request.mutate({ ...given.request, userId });
    },
  });

  const [icon, label] = fn.args === null ? [Send, "Send"] : [Play, "Run"];
  const form = {
    submit: (
      <SubmitRow icon={icon} label={label} isDisabled={run.isPending || userId === undefined} isRunning={run.isPending}>
        <RunAs runner={runner} />
      </SubmitRow>
    ),
    result: <RunResult run={run} />,
  };

  return (
    <section aria-labelledby="function-name" className="rounded-2xl border border-line bg-surface p-4 sm:p-6">
      <div className="mb-4 flex flex-wrap items-baseline gap-x-3">
        <h2 id="function-name" className="wrap-anywhere font-mono font-semibold">
          {fn.name}
        </h2>
        <p className="text-muted text-sm">
          {fn.isInternal
            ? `Internal ${kinds[fn.kind].toLowerCase()}: only functions and the scheduler run it`
            : kinds[fn.kind]}
        </p>
        <Link
          prefetch={false}
          href={{ pathname: "/dashboard/logs", query: { function: fn.name } }}
          className="ml-auto flex h-11 items-center text-accent text-sm underline-offset-2 hover:underline"
        >
          Its calls
        </Link>
      </div>
      {fn.args === null ? (
        <RequestForm
          {...form}
          route={fn.name}
          command={(request) => curlOfRequest({ origin, request, isSignedIn })}
          onSend={(request) => run.mutate({ request })}
        />
      ) : (
        <ArgsForm
          {...form}
          schema={fn.args}
          command={fn.isInternal ? null : (args) => curlOf({ origin, fn, args, isSignedIn })}
          onRun={(args) => run.mutate({ args })}
        />
      )}
    </section>
  );
}

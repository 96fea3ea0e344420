import { useMutation } from "@tanstack/react-query";
import Link from "next/link";
import { useState } from "react";
import { useTRPCClient } from "~/client/trpc";
import { CopyButton } from "../_parts/copy-button";
import { ArgsForm } from "./args-form";
import { curlOf, curlOfRequest } from "./curl";
import { type Fn, kinds } from "./function-list";
import { type HttpRequest, RequestForm } from "./request-form";
import { RunAs } from "./run-as";
import { RunResult } from "./run-result";
import { useRunner } from "./use-runner";

/** What a function takes, and what came of running it. */
export function FunctionDetails({ fn }: { fn: Fn }) {
  const { functions } = useTRPCClient().dashboard;
  const runner = useRunner();
  const [curl, setCurl] = useState<string | null>(null);
  const { userId } = runner;
  const isSignedIn = userId !== null;

  const run = useMutation({
    mutationFn: async (given: { args: Record<string, unknown> } | { request: HttpRequest }) => {
      if (userId === undefined) return null;
      return "args" in given
        ? functions.run.mutate({ name: fn.name, args: given.args, userId })
        : functions.request.mutate({ ...given.request, userId });
    },
  });

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
          route={fn.name}
          isDisabled={run.isPending || userId === undefined}
          isRunning={run.isPending}
          onChange={(request) => setCurl(curlOfRequest({ origin: window.location.origin, request, isSignedIn }))}
          onSend={(request) => run.mutate({ request })}
        >
          <RunAs runner={runner} />
        </RequestForm>
      ) : (
        <ArgsForm
          schema={fn.args}
          isDisabled={run.isPending || userId === undefined}
          isRunning={run.isPending}
          onChange={(args) => setCurl(curlOf({ origin: window.location.origin, fn, args, isSignedIn }))}
          onRun={(args) => run.mutate({ args })}
        >
          <RunAs runner={runner} />
        </ArgsForm>
      )}
      <RunResult run={run} />
      {!fn.isInternal && curl !== null && (
        <div className="mt-5">
          <div className="flex items-center justify-between">
            <h3 className="font-medium text-muted text-xs">From a terminal</h3>
            <CopyButton text={curl} label="Copy the curl command" />
          </div>
          <pre tabIndex={0} className="overflow-x-auto rounded-xl bg-sunken p-3 font-mono text-xs">
            {curl}
          </pre>
        </div>
      )}
    </section>
  );
}

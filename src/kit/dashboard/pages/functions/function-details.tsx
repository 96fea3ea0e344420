import { useMutation } from "@tanstack/react-query";
import { Play, Send } from "lucide-react";
import Link from "next/link";
import { useTRPCClient } from "../parts/api";
import { ArgsForm } from "./args-form";
import { curlOf, curlOfRequest } from "./curl";
import { type Fn, kinds } from "./function-list";
import { type HttpRequest, RequestForm } from "./request-form";
import { RunAs } from "./run-as";
import { RunResult } from "./run-result";
import { SubmitRow } from "./submit-row";
import { useRunner } from "./use-runner";

/** What a function takes, and what came of running it. */
export function FunctionDetails({ fn }: { fn: Fn }) {
  const { functions } = useTRPCClient().dashboard;
  const runner = useRunner();
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
          command={(request) => curlOfRequest({ origin: window.location.origin, request, isSignedIn })}
          onSend={(request) => run.mutate({ request })}
        />
      ) : (
        <ArgsForm
          {...form}
          schema={fn.args}
          command={fn.isInternal ? null : (args) => curlOf({ origin: window.location.origin, fn, args, isSignedIn })}
          onRun={(args) => run.mutate({ args })}
        />
      )}
    </section>
  );
}

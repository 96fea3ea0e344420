"use client";

import { useQuery } from "@tanstack/react-query";
import { ChevronLeft } from "lucide-react";
import Link from "next/link";
import { Failed, Loading } from "../../../client/components/list-state";
import { useTRPC } from "../parts/api";
import { DashboardPage } from "../parts/dashboard-page";
import { CallCharts } from "./call-charts";
import { FunctionDetails } from "./function-details";
import { FunctionList } from "./function-list";

/** Every function, how it fares, and a way to run it. `name` is of the one that is chosen. */
export function Functions({ name }: { name: string | null }) {
  const functions = useQuery(useTRPC().dashboard.functions.list.queryOptions());
  const chosen = functions.data?.find((fn) => fn.name === name);
  return (
    <DashboardPage title="Functions">
      {functions.isError ? (
        <Failed title="They could not be loaded" error={functions.error} onRetry={() => void functions.refetch()} />
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

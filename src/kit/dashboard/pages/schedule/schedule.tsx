"use client";

import { Tabs } from "radix-ui";
import { DashboardPage } from "../parts/dashboard-page";
import { Crons } from "./crons";
import { Jobs } from "./jobs";

const lists = [
  { list: "pending", label: "Pending" },
  { list: "running", label: "Running" },
  { list: "failed", label: "Failed" },
  { list: "recent", label: "Recent" },
] as const;

/** Functions that run later, run now, or ran, and those that recur. */
export function Schedule() {
  return (
    <DashboardPage title="Schedule">
      <Tabs.Root defaultValue="pending" activationMode="manual">
        <Tabs.List
          aria-label="Jobs"
          className="mb-3 flex w-fit max-w-full gap-1 overflow-x-auto rounded-full bg-sunken p-1"
        >
          {lists.map(({ list, label }) => (
            <Tabs.Trigger key={list} value={list} className="tab">
              {label}
            </Tabs.Trigger>
          ))}
        </Tabs.List>
        {lists.map(({ list }) => (
          <Tabs.Content key={list} value={list} className="outline-none">
            <Jobs list={list} />
          </Tabs.Content>
        ))}
      </Tabs.Root>
      <h2 className="pt-8 pb-3 font-semibold text-lg tracking-tight">Recurring</h2>
      <Crons />
    </DashboardPage>
  );
}

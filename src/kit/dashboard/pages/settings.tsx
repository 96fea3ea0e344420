"use client";

import { useQuery } from "@tanstack/react-query";
import { Failed, Loading } from "../../client/components/lists";
import { columnsOf, DataTable } from "./data-table";
import { type Answers, CopyButton, DashboardPage, useTRPC } from "./parts";

type List = Answers["settings"]["list"];

const heading = "pb-3 font-semibold text-lg tracking-tight";

/** The settings and limits in force, and addresses for other services. */
export function Settings() {
  const list = useQuery(useTRPC().dashboard.settings.list.queryOptions());
  return (
    <DashboardPage title="Settings">
      {list.isError ? (
        <Failed title="The settings could not be loaded" error={list.error} onRetry={() => void list.refetch()} />
      ) : list.isPending ? (
        <Loading>Loading settings…</Loading>
      ) : (
        <>
          <h2 className={heading}>Addresses</h2>
          <ul className="card grid gap-1 py-2!">
            {list.data.urls.map(({ name, url }) => (
              <li key={url} className="flex items-center gap-2 text-sm">
                <span className="min-w-0 flex-1">
                  <span className="block text-muted text-xs">{name}</span>
                  <span className="wrap-anywhere font-mono text-xs">{url}</span>
                </span>
                <CopyButton text={url} label={`Copy ${url}`} />
              </li>
            ))}
          </ul>
          <h2 className={`pt-8 ${heading}`}>Environment variables</h2>
          <DataTable label="Environment variables" columns={settingColumns} rows={list.data.settings} rowId={nameOf} />
          <h2 className={`pt-8 ${heading}`}>Limits</h2>
          <p className="pb-3 text-muted text-sm">
            They are in src/kit/process/limits.ts, and docs/limits.md explains them.
          </p>
          <DataTable label="Limits" columns={limitColumns} rows={list.data.limits} rowId={nameOf} />
        </>
      )}
    </DashboardPage>
  );
}

const nameOf = ({ name }: { name: string }) => name;

const setting = columnsOf<List["settings"][number]>();

const settingColumns = setting.columns([
  setting.accessor("name", {
    header: "Name",
    meta: { isTitle: true },
    cell: ({ getValue }) => <span className="break-all font-mono text-xs sm:whitespace-nowrap">{getValue()}</span>,
  }),
  setting.accessor("value", {
    header: "Value",
    meta: { className: "sm:w-full" },
    cell: ({ row: { original } }) => {
      if (original.value === null) return <span className="text-muted">not set</span>;
      return (
        <span className="wrap-anywhere">
          {original.isSecret && <span className="text-muted">secret, </span>}
          {original.value}
        </span>
      );
    },
  }),
  setting.accessor("isSet", {
    header: "From",
    meta: { className: "whitespace-nowrap" },
    cell: ({ row: { original } }) => (
      <span className="text-muted text-xs">
        {original.isSet ? "the environment" : original.value === null ? "" : "the default"}
      </span>
    ),
  }),
]);

const limit = columnsOf<List["limits"][number]>();
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });

const limitColumns = limit.columns([
  limit.accessor("name", {
    header: "Name",
    meta: { isTitle: true },
    cell: ({ getValue }) => <span className="break-all font-mono text-xs sm:whitespace-nowrap">{getValue()}</span>,
  }),
  limit.accessor("value", {
    header: "Value",
    meta: { className: "sm:w-full tabular-nums" },
    cell: ({ getValue }) => number.format(getValue()),
  }),
]);

import type { Metadata } from "next";
import { app } from "~/functions";
import { Logs, Prefetch } from "~/kit/dashboard";

export const metadata: Metadata = { title: "Logs · Dashboard" };

interface LogsPageProps {
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}

export default function LogsPage({ searchParams }: LogsPageProps) {
  return (
    <Prefetch app={app} page="logs" searchParams={searchParams}>
      <Logs />
    </Prefetch>
  );
}

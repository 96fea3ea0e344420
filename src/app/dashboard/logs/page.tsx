import type { Metadata } from "next";
import { Logs } from "~/kit/dashboard";
import { first } from "~/kit/pages";

export const metadata: Metadata = { title: "Logs · Dashboard" };

interface LogsPageProps {
  searchParams: Promise<{ request?: string | string[]; function?: string | string[] }>;
}

export default async function LogsPage({ searchParams }: LogsPageProps) {
  const { request, function: name } = await searchParams;
  return <Logs requestId={first(request) ?? null} functionName={first(name) ?? ""} />;
}

import type { Metadata } from "next";
import { Logs } from "./logs";

export const metadata: Metadata = { title: "Logs · Dashboard" };

interface LogsPageProps {
  searchParams: Promise<{ request?: string; function?: string }>;
}

export default async function LogsPage({ searchParams }: LogsPageProps) {
  const { request, function: name } = await searchParams;
  return <Logs requestId={request ?? null} functionName={name ?? ""} />;
}

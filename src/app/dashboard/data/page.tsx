import type { Metadata } from "next";
import { app } from "~/functions";
import { Data, Prefetch } from "~/kit/dashboard";

export const metadata: Metadata = { title: "Data · Dashboard" };

interface DataPageProps {
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}

export default function DataPage({ searchParams }: DataPageProps) {
  return (
    <Prefetch app={app} page="data" searchParams={searchParams}>
      <Data />
    </Prefetch>
  );
}

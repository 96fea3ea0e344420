import type { Metadata } from "next";
import { app } from "~/functions";
import { Functions, Prefetch } from "~/kit/dashboard";

export const metadata: Metadata = { title: "Functions · Dashboard" };

interface FunctionsPageProps {
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}

export default function FunctionsPage({ searchParams }: FunctionsPageProps) {
  return (
    <Prefetch app={app} page="functions" searchParams={searchParams}>
      <Functions />
    </Prefetch>
  );
}

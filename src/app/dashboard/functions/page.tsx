import type { Metadata } from "next";
import { Functions } from "~/kit/dashboard";
import { first } from "~/kit/pages";

export const metadata: Metadata = { title: "Functions · Dashboard" };

interface FunctionsPageProps {
  searchParams: Promise<{ name?: string | string[] }>;
}

export default async function FunctionsPage({ searchParams }: FunctionsPageProps) {
  const { name } = await searchParams;
  return <Functions name={first(name) ?? null} />;
}

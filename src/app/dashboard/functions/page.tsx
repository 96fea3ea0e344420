import type { Metadata } from "next";
import { first } from "~/kit/pages";
import { Functions } from "./functions";

export const metadata: Metadata = { title: "Functions · Dashboard" };

interface FunctionsPageProps {
  searchParams: Promise<{ name?: string | string[] }>;
}

export default async function FunctionsPage({ searchParams }: FunctionsPageProps) {
  const { name } = await searchParams;
  return <Functions name={first(name) ?? null} />;
}

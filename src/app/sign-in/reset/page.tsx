import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { SiteHeader } from "~/components/site-header";
import { first, signInOptions } from "~/kit/pages";
import { ResetForm } from "./reset-form";

export const metadata: Metadata = { title: "New password", referrer: "no-referrer" };

interface ResetPageProps {
  searchParams: Promise<{ token?: string | string[] }>;
}

export default async function ResetPage({ searchParams }: ResetPageProps) {
  const { token } = await searchParams;
  if (!signInOptions().sendsEmail) notFound();
  return (
    <>
      <SiteHeader />
      <main className="m-auto w-full max-w-md px-page py-10">
        <div className="rounded-3xl border border-line bg-surface p-6 shadow-raised sm:p-8">
          <ResetForm token={first(token)} />
        </div>
      </main>
    </>
  );
}

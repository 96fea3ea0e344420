import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { PageHeader } from "~/components/page-header";
import { SiteHeader } from "~/components/site-header";
import { first, signInOptions, viewer } from "~/kit/pages";
import { Account } from "./account";

export const metadata: Metadata = { title: "Account" };

interface AccountPageProps {
  searchParams: Promise<{ error?: string | string[] }>;
}

export default async function AccountPage({ searchParams }: AccountPageProps) {
  const identity = await viewer();
  if (!identity?.email) redirect("/sign-in?next=/account");
  return (
    <>
      <SiteHeader />
      <main className="page [--column:36rem]">
        <PageHeader title="Account" description={`${identity.name}, ${identity.email}`} />
        <Account
          email={identity.email}
          isConfirmed={identity.emailVerified ?? false}
          error={first((await searchParams).error)}
          {...signInOptions()}
        />
      </main>
    </>
  );
}

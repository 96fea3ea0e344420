import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { pages } from "~/components/pages";
import { SiteHeader } from "~/components/site-header";
import { first, viewer } from "~/kit/pages";
import { SignInForm } from "./sign-in-form";

export const metadata: Metadata = { title: "Sign in" };

interface SignInPageProps {
  searchParams: Promise<{ from?: string | string[]; new?: string | string[] }>;
}

export default async function SignInPage({ searchParams }: SignInPageProps) {
  const { from, new: isNew } = await searchParams;
  // Only ever back to a page of ours.
  const { href } = pages.find((page) => page.href === first(from)) ?? { href: "/files" };
  const identity = await viewer();
  if (identity && !identity.isAnonymous) redirect(href);
  return (
    <div className="flex min-h-dvh flex-col">
      <SiteHeader />
      <main className="m-auto w-full max-w-md px-page py-10">
        <SignInForm key={first(isNew)} from={href} isNew={isNew !== undefined} isVisitor={identity !== null} />
      </main>
    </div>
  );
}

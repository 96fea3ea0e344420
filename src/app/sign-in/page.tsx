import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { SiteHeader } from "~/components/site-header";
import { first, viewer } from "~/kit/pages";
import { SignInForm } from "./sign-in-form";

export const metadata: Metadata = { title: "Sign in" };

interface SignInPageProps {
  searchParams: Promise<{ next?: string | string[]; new?: string | string[] }>;
}

export default async function SignInPage({ searchParams }: SignInPageProps) {
  const { next, new: isNew } = await searchParams;
  const path = pathOfThisSite(first(next));
  const identity = await viewer();
  if (identity && !identity.isAnonymous) redirect(path);
  return (
    <>
      <SiteHeader />
      <main className="m-auto w-full max-w-md px-page py-10">
        <SignInForm key={first(isNew)} next={path} isNew={isNew !== undefined} isVisitor={identity !== null} />
      </main>
    </>
  );
}

/** The path to go to after signing in. A link to this page cannot lead to another origin. */
function pathOfThisSite(next = "/"): string {
  const base = "http://this.site";
  // Browsers drop tabs and line breaks from a URL, and read `//` and `/\` as the start of a host name.
  if (!/^\/(?![/\\])[^\t\n\r]*$/.test(next)) return "/";
  const { pathname, search, hash } = new URL(next, base);
  // For example, the URL parser makes `//example.com` of `/.//example.com`.
  return pathname.startsWith("//") ? "/" : pathname + search + hash;
}

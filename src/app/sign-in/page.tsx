import { decodeJwt } from "jose";
import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { SiteHeader } from "~/components/site-header";
import { first, pathOfThisSite, signInOptions, viewer } from "~/kit/pages";
import { SignInForm } from "./sign-in-form";

export const metadata: Metadata = { title: "Sign in" };

interface SignInPageProps {
  searchParams: Promise<Partial<Record<"next" | "new" | "confirm" | "error", string | string[]>>>;
}

export default async function SignInPage({ searchParams }: SignInPageProps) {
  const { next, new: isNew, confirm, error } = await searchParams;
  const path = pathOfThisSite(first(next));
  const identity = await viewer();
  // A mail leads here when it is for another account than the one that is signed in.
  if (identity && !identity.isAnonymous && !confirm) redirect(path);
  return (
    <>
      <SiteHeader />
      <main className="m-auto w-full max-w-md px-page py-10">
        <div className="rounded-3xl border border-line bg-surface p-6 shadow-raised sm:p-8">
          <SignInForm
            key={first(isNew)}
            next={path}
            isNew={isNew !== undefined}
            isVisitor={identity?.isAnonymous ?? false}
            confirm={addressOf(first(confirm))}
            error={first(error)}
            {...signInOptions()}
          />
        </div>
      </main>
    </>
  );
}

/** The address that a mail's token names, which is verified when the form is sent. */
function addressOf(token: string | undefined) {
  try {
    return token === undefined ? undefined : { token, email: String(decodeJwt(token).email ?? "") };
  } catch {
    return undefined;
  }
}

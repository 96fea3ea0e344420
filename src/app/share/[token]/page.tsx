import { Download, FileX2 } from "lucide-react";
import type { Metadata } from "next";
import { api } from "~/app/prefetch";
import { SiteHeader } from "~/components/site-header";
import { Empty, formatBytes } from "~/kit/client";
import { queryClient } from "~/kit/pages";

// The link is a secret, so search engines should not keep it.
export const metadata: Metadata = { title: "Shared file", robots: { index: false } };

interface SharePageProps {
  params: Promise<{ token: string }>;
  searchParams: Promise<{ wrong?: string | string[] }>;
}

/** What a share link leads to. It works without JavaScript. Programs that only look at the link count as no download. */
export default async function SharePage({ params, searchParams }: SharePageProps) {
  const [{ token }, { wrong }] = await Promise.all([params, searchParams]);
  const file = await queryClient().fetchQuery(api.shares.get.queryOptions({ token: token.slice(0, 64) }));
  return (
    <>
      <SiteHeader />
      <main className="m-auto w-full max-w-md px-page py-10">
        <div className="rounded-3xl border border-line bg-surface p-6 shadow-raised sm:p-8">
          {file ? (
            <form method="post" action={`/http/shares/${token}`} className="grid gap-4">
              <div className="grid gap-1">
                <h1 className="wrap-anywhere font-semibold text-xl tracking-tight">{file.name}</h1>
                <p className="wrap-anywhere text-muted text-sm">
                  {formatBytes(file.size)}
                  {file.contentType && ` · ${file.contentType}`}
                </p>
              </div>
              {file.hasPassword && (
                <label className="grid gap-1 text-sm">
                  <span className="font-medium">Password</span>
                  <input
                    type="password"
                    name="password"
                    required
                    autoComplete="off"
                    maxLength={200}
                    className="field"
                  />
                </label>
              )}
              {wrong !== undefined && (
                <p role="alert" className="text-danger text-sm">
                  This is not the password. Ask the person who sent you the link.
                </p>
              )}
              <button type="submit" className="button button-primary">
                <Download aria-hidden="true" className="size-4" />
                Download
              </button>
            </form>
          ) : (
            <Empty icon={FileX2} title="This link does not work">
              It has expired, was used up or was taken back. Ask the person who sent it for another.
            </Empty>
          )}
        </div>
      </main>
    </>
  );
}

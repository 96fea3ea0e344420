import type { Metadata } from "next";
import { api } from "~/app/prefetch";
import { SiteHeader } from "~/components/site-header";
import { queryClient } from "~/kit/pages";
import { SharedFile } from "./shared-file";

// The link is a secret, so search engines should not keep it.
export const metadata: Metadata = { title: "Shared file", robots: { index: false } };

interface SharePageProps {
  params: Promise<{ token: string }>;
  searchParams: Promise<{ wrong?: string | string[] }>;
}

/** The page of a share link. Opening it does not count as a download, because some programs only look at links. */
export default async function SharePage({ params, searchParams }: SharePageProps) {
  const [{ token }, { wrong }] = await Promise.all([params, searchParams]);
  const file = await queryClient().fetchQuery(api.shares.get.queryOptions({ token: token.slice(0, 64) }));
  return (
    <>
      <SiteHeader />
      <main className="m-auto w-full max-w-md px-page py-10">
        <div className="rounded-3xl border border-line bg-surface p-6 shadow-raised sm:p-8">
          <SharedFile token={token} file={file} isWrong={wrong !== undefined} />
        </div>
      </main>
    </>
  );
}

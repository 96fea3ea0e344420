import type { Metadata } from "next";
import { SiteHeader } from "~/components/site-header";
import { env } from "~/kit/pages";
import { HttpDemo } from "./http-demo";
import { PlainForm } from "./plain-form";

export const metadata: Metadata = { title: "HTTP API" };

interface HttpDemoPageProps {
  searchParams: Promise<{ sent?: string | string[] }>;
}

/**
 * A page that uses the HTTP API at `APP_ORIGIN`. Its first part uses nothing else, so it would work on another origin, too.
 */
export default async function HttpDemoPage({ searchParams }: HttpDemoPageProps) {
  const { sent } = await searchParams;
  return (
    <div className="flex min-h-dvh flex-col">
      <SiteHeader />
      <main className="flex-1 px-page pb-[max(2rem,env(safe-area-inset-bottom))]">
        <HttpDemo api={`${env.APP_ORIGIN ?? ""}/http`}>
          <PlainForm isSent={sent !== undefined} />
        </HttpDemo>
      </main>
    </div>
  );
}

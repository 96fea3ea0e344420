import type { Metadata } from "next";
import { SiteHeader } from "~/components/site-header";
import { env } from "~/kit/pages";
import { HttpDemo } from "./http-demo";

export const metadata: Metadata = { title: "HTTP API" };

/** A page that talks to the HTTP API alone, at `APP_ORIGIN`: it works wherever it is served from. */
export default function HttpDemoPage() {
  return (
    <div className="flex min-h-dvh flex-col">
      <SiteHeader />
      <HttpDemo api={`${env.APP_ORIGIN ?? ""}/http`} />
    </div>
  );
}

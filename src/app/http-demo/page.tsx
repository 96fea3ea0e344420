import type { Metadata } from "next";
import { SiteHeader } from "~/components/site-header";
import { env } from "~/kit/pages";
import { HttpDemo } from "./http-demo";

export const metadata: Metadata = { title: "HTTP API" };

/** A page that uses nothing but the HTTP API at `APP_ORIGIN`, so it would work on another origin, too. */
export default function HttpDemoPage() {
  return (
    <div className="flex min-h-dvh flex-col">
      <SiteHeader />
      <HttpDemo api={`${env.APP_ORIGIN ?? ""}/http`} />
    </div>
  );
}

import type { Metadata } from "next";
import { app } from "~/functions";
import { Overview, Prefetch } from "~/kit/dashboard";

export const metadata: Metadata = { title: "Overview · Dashboard" };

export default function OverviewPage() {
  return (
    <Prefetch app={app} page="overview">
      <Overview />
    </Prefetch>
  );
}

import { notFound } from "next/navigation";
import type { ReactNode } from "react";
import { SiteHeader } from "~/components/site-header";
import { DashboardFrame } from "~/kit/dashboard";
import { isAdmin, viewer } from "~/kit/pages";

/** For everybody but administrators there is no dashboard. What its pages show is guarded by their calls, each by itself. */
export default async function DashboardLayout({ children }: { children: ReactNode }) {
  if (!(await isAdmin(await viewer()))) notFound();
  return <DashboardFrame header={<SiteHeader />}>{children}</DashboardFrame>;
}

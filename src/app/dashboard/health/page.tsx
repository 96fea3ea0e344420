import type { Metadata } from "next";
import { Health } from "~/kit/dashboard";

export const metadata: Metadata = { title: "Health · Dashboard" };

export default function HealthPage() {
  return <Health />;
}

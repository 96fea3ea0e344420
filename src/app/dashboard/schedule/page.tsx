import type { Metadata } from "next";
import { Schedule } from "~/kit/dashboard";

export const metadata: Metadata = { title: "Schedule · Dashboard" };

export default function SchedulePage() {
  return <Schedule />;
}

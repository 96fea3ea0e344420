import type { Metadata } from "next";
import { app } from "~/functions";
import { Prefetch, Settings } from "~/kit/dashboard";

export const metadata: Metadata = { title: "Settings · Dashboard" };

export default function SettingsPage() {
  return (
    <Prefetch app={app} page="settings">
      <Settings />
    </Prefetch>
  );
}

import type { Metadata } from "next";
import { app } from "~/functions";
import { Api, Prefetch } from "~/kit/dashboard";

export const metadata: Metadata = { title: "API · Dashboard" };

export default function ApiPage() {
  return (
    <Prefetch app={app} page="api">
      <Api />
    </Prefetch>
  );
}

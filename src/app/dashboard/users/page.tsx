import type { Metadata } from "next";
import { app } from "~/functions";
import { Prefetch, Users } from "~/kit/dashboard";

export const metadata: Metadata = { title: "Users · Dashboard" };

export default function UsersPage() {
  return (
    <Prefetch app={app} page="users">
      <Users />
    </Prefetch>
  );
}

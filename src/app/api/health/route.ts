import { serveHealth } from "~/server/health";

export const dynamic = "force-dynamic";
export const GET = serveHealth;

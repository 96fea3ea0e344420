import { healthRoute } from "~/kit/next";

export const dynamic = "force-dynamic";
export const GET = healthRoute;

import { liveRoute } from "~/kit/next";

export const dynamic = "force-dynamic";
export const GET = liveRoute;

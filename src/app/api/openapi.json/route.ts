import { app } from "~/functions";
import { openApiRoute } from "~/kit/next";

export const dynamic = "force-dynamic";
export const GET = openApiRoute(app);

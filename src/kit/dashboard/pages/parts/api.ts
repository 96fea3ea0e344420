"use client";

import type { inferRouterOutputs } from "@trpc/server";
import { createClient } from "../../../client/create-client";
import type { KitRouter } from "../../../functions/router";

export const { useTRPC, useTRPCClient } = createClient<KitRouter>();

/** What the dashboard's calls answer. */
export type Answers = inferRouterOutputs<KitRouter>["dashboard"];

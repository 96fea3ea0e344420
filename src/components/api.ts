"use client";

import type { AppRouter } from "~/functions";
import { createClient } from "~/kit/client";

/** How components call the functions of this app: see "Your first feature" in README.md. */
export const { ApiProvider, useTRPC, useTRPCClient } = createClient<AppRouter>();

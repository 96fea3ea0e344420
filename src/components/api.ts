"use client";

import type { AppRouter } from "~/functions";
import { createClient } from "~/kit/client";

/** How components call the functions of this app: README, "A first feature". */
export const { ApiProvider, useTRPC, useTRPCClient } = createClient<AppRouter>();

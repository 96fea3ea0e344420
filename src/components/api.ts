"use client";

import type { AppRouter } from "~/functions";
import { createClient } from "~/kit/client";

/** Hooks with which components call the functions of this app. README.md shows them in "Your first feature". */
export const { ApiProvider, useTRPC, useTRPCClient } = createClient<AppRouter>();

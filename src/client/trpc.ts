import { createTRPCContext } from "@trpc/tanstack-react-query";
import type { AppRouter } from "~/functions";

/** `useTRPC()` makes options for TanStack Query's hooks; `useTRPCClient()` calls a function directly. */
export const { TRPCProvider, useTRPC, useTRPCClient } = createTRPCContext<AppRouter>();

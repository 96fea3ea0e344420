"use client";

import { createContext, useContext, useEffect, useSyncExternalStore } from "react";
import type { createLiveQueries } from "./live-queries";

const Context = createContext<ReturnType<typeof createLiveQueries> | null>(null);

export const LiveQueries = Context.Provider;

function useLiveQueries() {
  const liveQueries = useContext(Context);
  if (!liveQueries) throw new Error("Live queries are used outside of ApiProvider; put the component below it");
  return liveQueries;
}

/** Whether changes do not reach this tab at the moment, for more than an instant. */
export function useIsReconnecting(): boolean {
  const { subscribe, getSnapshot } = useLiveQueries();
  return useSyncExternalStore(subscribe, getSnapshot, () => false);
}

/** Brings up to date what the server rendered when the history of changes was at `position`. */
export function CatchUp({ position }: { position: string | null }) {
  const { catchUp } = useLiveQueries();
  useEffect(() => catchUp(position), [catchUp, position]);
  return null;
}

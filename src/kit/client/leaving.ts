import { useEffect } from "react";

let busyQueues = 0;

/** Asks for confirmation when leaving the page would stop uploads. Returns whether a link may be followed. */
export function confirmLeaving(): boolean {
  return busyQueues === 0 || window.confirm("Leave this page? What is being uploaded will be stopped.");
}

/** Has people confirm that they leave the page while `isBusy`. */
export function useConfirmedLeaving(isBusy: boolean): void {
  useEffect(() => {
    if (!isBusy) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    busyQueues += 1;
    return () => {
      window.removeEventListener("beforeunload", ask);
      busyQueues -= 1;
    };
  }, [isBusy]);
}

/**
 * Loads a page from the server, because everything on it may look different now. Never resolves, so that a form stays
 * disabled until the page is left.
 */
export function loadPage(path: string): Promise<never> {
  window.location.assign(path);
  return new Promise(() => undefined);
}

/** One for each stream that a browser keeps open: over HTTP/1.1 it has six connections to a host, and pages need some. */
const places = ["stream 1", "stream 2", "stream 3", "stream 4"];

/** Gives back a place. */
export type Leave = () => void;

/**
 * Takes one of the places that all tabs of the browser share; `null` when there is none. Where it has no locks to share
 * them by, as on pages without HTTPS, there is always one.
 */
export async function takePlace(): Promise<Leave | null> {
  if (!("locks" in navigator)) return () => undefined;
  for (const name of places) {
    const leave = await takeLock(name);
    if (leave) return leave;
  }
  return null;
}

/** A lock is held until what its callback returns is settled. */
const takeLock = (name: string): Promise<Leave | null> =>
  new Promise((resolve, reject) => {
    const hold = (lock: Lock | null) => (lock ? new Promise<void>(resolve) : resolve(null));
    navigator.locks.request(name, { ifAvailable: true }, hold).catch(reject);
  });

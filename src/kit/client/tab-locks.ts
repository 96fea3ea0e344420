// What only some of a browser's tabs may do at the same time.

/** Runs `use` unless another tab uploads to the same URL. Then it returns `null`. */
export async function inOneTab<R>(url: string, use: () => Promise<R>): Promise<R | null> {
  if (!navigator.locks) return use();
  return navigator.locks.request(`upload ${url}`, { ifAvailable: true }, (lock) => (lock ? use() : null));
}

/** The streams that a browser keeps open. Over HTTP/1.1 it has six connections to a host, and pages need some of them. */
const places = ["stream 1", "stream 2", "stream 3", "stream 4"];

/** Releases a place. */
export type Leave = () => void;

/**
 * Takes one of the places that all tabs of the browser share, or returns `null` when all are taken. Pages without HTTPS have
 * no locks, so there a place is always free.
 */
export async function takePlace(): Promise<Leave | null> {
  if (!navigator.locks) return () => undefined;
  for (const name of places) {
    const leave = await takeLock(name);
    if (leave) return leave;
  }
  return null;
}

/** The browser holds a lock until the promise that its callback returned is settled. */
const takeLock = (name: string): Promise<Leave | null> =>
  new Promise((resolve, reject) => {
    const hold = (lock: Lock | null) => (lock ? new Promise<void>(resolve) : resolve(null));
    navigator.locks.request(name, { ifAvailable: true }, hold).catch(reject);
  });

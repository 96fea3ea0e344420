import { useSyncExternalStore } from "react";
import { useViewer } from "~/kit/client";

const key = "author";
const subscribers = new Set<() => void>();
let name: string | null = null;

/** The visitor's name, random at first and remembered by the browser. Not for the server. */
function authorName(): string {
  if (name === null) {
    name = storage()?.getItem(key) ?? `User ${Math.floor(Math.random() * 10_000)}`;
    storage()?.setItem(key, name);
  }
  return name;
}

function setName(chosen: string) {
  name = chosen;
  storage()?.setItem(key, chosen);
  for (const subscriber of subscribers) subscriber();
}

function subscribe(subscriber: () => void) {
  subscribers.add(subscriber);
  return () => void subscribers.delete(subscriber);
}

/** `null` where the visitor keeps sites from storing anything, which browsers say by throwing. */
function storage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

/** Under which name the viewer writes: that of their account, or one that they choose. */
export interface Author {
  /** Empty until the page is hydrated, for someone without an account. */
  name: string;
  /** The same, but known before that too: what was sent before the page is hydrated is replayed. */
  now: () => string;
  /** `null` for an account's name. */
  rename: ((name: string) => void) | null;
}

export function useAuthor(): Author {
  const viewer = useViewer();
  const chosen = useSyncExternalStore(subscribe, authorName, () => "");
  if (viewer?.email) return { name: viewer.name, now: () => viewer.name, rename: null };
  return { name: chosen, now: authorName, rename: setName };
}

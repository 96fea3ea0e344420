import { useSyncExternalStore } from "react";
import { useViewer } from "~/kit/client";

const key = "author";
const subscribers = new Set<() => void>();
let name: string | null = null;

/** The visitor's name: random at first, and stored by the browser. Call it in the browser only. */
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

/** The browser's storage, or `null` when the visitor does not allow it. Then browsers throw. */
function storage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

/** The name that the viewer writes under: that of the account, or one that a visitor chooses. */
export interface Author {
  /** The name to show. Empty for a visitor without an account until the page is hydrated. */
  name: string;
  /** The name to send with. It is never empty, because React replays what was sent before the page was hydrated. */
  now: () => string;
  /** Changes the name. `null` for the name of an account. */
  rename: ((name: string) => void) | null;
}

export function useAuthor(): Author {
  const viewer = useViewer();
  const chosen = useSyncExternalStore(subscribe, authorName, () => "");
  if (viewer?.email) return { name: viewer.name, now: () => viewer.name, rename: null };
  return { name: chosen, now: authorName, rename: setName };
}

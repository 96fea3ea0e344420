import { useSyncExternalStore } from "react";

const key = "author";
const subscribers = new Set<() => void>();
let name: string | null = null;

/** The visitor's name, random at first and remembered by the browser. Not for the server. */
export function authorName(): string {
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

/** The visitor's name, to show and to change. Empty until the page is hydrated. */
export function useAuthorName(): [name: string, setName: (name: string) => void] {
  return [useSyncExternalStore(subscribe, authorName, () => ""), setName];
}

import { type RefObject, useLayoutEffect, useRef } from "react";

/** Whether the viewer has scrolled up from the newest message by more than some pixels. */
export function awayFromLatest(scroller: HTMLElement): boolean {
  return scroller.scrollTop < -64;
}

/**
 * Keeps the scroll position when messages below it are added or removed. Some browsers do not do this themselves.
 */
export function useKeptPlace(scroller: RefObject<HTMLElement | null>, list: RefObject<HTMLElement | null>) {
  const mark = useRef<{ item: Element; below: number } | null>(null);
  useLayoutEffect(() => {
    if (!scroller.current || !list.current) return;
    const end = list.current.getBoundingClientRect().bottom;
    const bottom = (item: Element) => item.getBoundingClientRect().bottom;
    if (mark.current?.item.isConnected) {
      const grown = end - bottom(mark.current.item) - mark.current.below;
      if (grown !== 0)
        scroller.current.scrollTop = awayFromLatest(scroller.current) ? scroller.current.scrollTop - grown : 0;
    }
    const top = scroller.current.getBoundingClientRect().top;
    const item = Array.from(list.current.children).find((child) => bottom(child) > top);
    mark.current = item ? { item, below: end - bottom(item) } : null;
  });
}

import { type RefObject, useEffect, useEffectEvent } from "react";

/**
 * Calls `onNear` when an element is about to be scrolled into view, while `isReady`; for lists that load as they are
 * scrolled. `scroller` is the element that scrolls, by default the page.
 */
export function useNearView(
  element: RefObject<HTMLElement | null>,
  { isReady, onNear, scroller }: { isReady: boolean; onNear: () => void; scroller?: RefObject<HTMLElement | null> },
) {
  const report = useEffectEvent(onNear);
  // A new observer whenever it is ready again reports at once if the element is still near.
  useEffect(() => {
    if (!isReady || !element.current) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && report(), {
      root: scroller?.current,
      rootMargin: "600px 0px 600px 0px",
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [isReady, element, scroller]);
}

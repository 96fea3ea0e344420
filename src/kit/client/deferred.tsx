import { type ComponentType, useEffect, useState } from "react";

/**
 * Makes a component of a dialog or a menu whose code is loaded after the page, so that the page is usable earlier. Loading
 * starts when the page is hydrated. Until then the component renders nothing, and one that is open appears when it is loaded.
 *
 * @example
 * const ShareDialog = deferred(() => import("./share-dialog").then(({ ShareDialog }) => ShareDialog));
 */
export function deferred<Props extends { isOpen: boolean }>(
  load: () => Promise<ComponentType<Props>>,
): ComponentType<Props> {
  let loaded: ComponentType<Props> | null = null;
  // biome-ignore lint/correctness/noComponentHookFactories: modules call this once, as they call `lazy`.
  return function Deferred(props: Props) {
    const [Loaded, setLoaded] = useState(() => loaded);
    const { isOpen } = props;
    // biome-ignore lint/correctness/useExhaustiveDependencies: what could not be loaded is loaded when it is opened.
    useEffect(() => {
      if (Loaded) return;
      load().then(
        (component) => {
          loaded = component;
          setLoaded(() => component);
        },
        () => undefined,
      );
    }, [Loaded, isOpen]);
    return Loaded && <Loaded {...props} />;
  };
}

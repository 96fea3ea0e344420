import { type KeyboardEvent, type PointerEvent, useRef, useState } from "react";

/**
 * The state of a menu, and what its button needs: spread `button` on it, and pass `menu` to the `Menu`, whose code is loaded
 * after the page.
 */
export function useMenu() {
  const [isOpen, setOpen] = useState(false);
  const ref = useRef<HTMLButtonElement>(null);
  return {
    menu: { isOpen, onOpenChange: setOpen, button: ref },
    button: {
      ref,
      type: "button",
      "aria-haspopup": "menu",
      "aria-expanded": isOpen,
      onPointerDown: (event: PointerEvent) => {
        if (event.button !== 0 || event.ctrlKey) return;
        setOpen(!isOpen);
        // The menu receives the focus.
        if (!isOpen) event.preventDefault();
      },
      onKeyDown: (event: KeyboardEvent) => {
        if (!["Enter", " ", "ArrowDown"].includes(event.key)) return;
        event.preventDefault();
        setOpen(event.key === "ArrowDown" || !isOpen);
      },
    },
  } as const;
}

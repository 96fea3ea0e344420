import { DropdownMenu } from "radix-ui";
import { type ComponentProps, type Ref, type RefObject, useImperativeHandle } from "react";

export interface MenuState {
  isOpen: boolean;
  onOpenChange: (isOpen: boolean) => void;
  /** The button that `useMenu` opens the menu with. */
  button: RefObject<HTMLButtonElement | null>;
}

/** A menu below its button. Use it in a component that is `deferred`. */
export function Menu({
  isOpen,
  onOpenChange,
  button,
  className = "",
  ...content
}: MenuState & ComponentProps<typeof DropdownMenu.Content>) {
  return (
    <DropdownMenu.Root modal={false} open={isOpen} onOpenChange={onOpenChange}>
      <DropdownMenu.Trigger asChild>
        <Stand of={button} />
      </DropdownMenu.Trigger>
      <DropdownMenu.Content
        align="end"
        collisionPadding={12}
        aria-labelledby={undefined}
        className={`menu ${className}`}
        {...content}
      />
    </DropdownMenu.Root>
  );
}

/** Has the menu take a button for its own that was on the page before the menu's code. */
function Stand({ of, ref }: { of: MenuState["button"]; ref?: Ref<HTMLButtonElement | null> }) {
  useImperativeHandle<HTMLButtonElement | null, HTMLButtonElement | null>(ref, () => of.current);
  return null;
}

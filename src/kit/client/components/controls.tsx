import { Check, Minus } from "lucide-react";
import { deferred } from "../deferred";

interface CheckboxProps {
  label: string;
  checked: boolean | "indeterminate";
  onChange: (checked: boolean) => void;
}

export function Checkbox({ label, checked, onChange }: CheckboxProps) {
  const isMixed = checked === "indeterminate";
  const Icon = isMixed ? Minus : Check;
  return (
    <label className="group grid size-11 flex-none place-items-center rounded-full">
      <input
        type="checkbox"
        aria-label={label}
        ref={(input) => {
          if (input) input.indeterminate = isMixed;
        }}
        aria-checked={isMixed ? "mixed" : undefined}
        checked={checked === true}
        onChange={({ currentTarget }) => onChange(currentTarget.checked)}
        className="col-start-1 row-start-1 size-5 appearance-none rounded-md border border-line-strong bg-canvas checked:border-accent checked:bg-accent indeterminate:border-accent indeterminate:bg-accent group-hover:border-accent"
      />
      {checked && (
        <Icon
          aria-hidden="true"
          className="pointer-events-none col-start-1 row-start-1 size-3.5 text-on-accent"
          strokeWidth={3}
        />
      )}
    </label>
  );
}

/** Asks for confirmation before something that cannot be undone. Stays open when it fails. */
export const ConfirmDialog = deferred(() => import("./confirm-dialog").then(({ ConfirmDialog }) => ConfirmDialog));

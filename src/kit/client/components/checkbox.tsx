import { Check, Minus } from "lucide-react";
import { Checkbox as Primitive } from "radix-ui";

interface CheckboxProps {
  label: string;
  checked: boolean | "indeterminate";
  onChange: (checked: boolean) => void;
}

export function Checkbox({ label, checked, onChange }: CheckboxProps) {
  return (
    <Primitive.Root
      aria-label={label}
      checked={checked}
      onCheckedChange={(next) => onChange(next === true)}
      className="group grid size-11 flex-none place-items-center rounded-full"
    >
      <span className="grid size-5 place-items-center rounded-md border border-line-strong bg-canvas text-on-accent group-hover:border-accent group-data-[state=checked]:border-accent group-data-[state=indeterminate]:border-accent group-data-[state=checked]:bg-accent group-data-[state=indeterminate]:bg-accent">
        {checked === "indeterminate" ? (
          <Minus aria-hidden="true" className="size-3.5" strokeWidth={3} />
        ) : (
          checked && <Check aria-hidden="true" className="size-3.5" strokeWidth={3} />
        )}
      </span>
    </Primitive.Root>
  );
}

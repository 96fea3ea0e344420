import { LoaderCircle, Play } from "lucide-react";
import { type ReactNode, useEffect, useMemo } from "react";
import { useForm, useWatch } from "react-hook-form";
import { ArgControl } from "./arg-control";
import type { Fn } from "./function-list";
import { check, fieldsOf, toArgs } from "./schema-fields";

interface ArgsFormProps {
  schema: NonNullable<Fn["args"]>;
  isDisabled: boolean;
  isRunning: boolean;
  /** Told the arguments as they are typed, while they can be read. */
  onChange: (args: Record<string, unknown>) => void;
  onRun: (args: Record<string, unknown>) => void;
  /** Beside the button. */
  children: ReactNode;
}

/** A form made from the shape of a function's arguments. */
export function ArgsForm({ schema, isDisabled, isRunning, onChange, onRun, children }: ArgsFormProps) {
  const fields = useMemo(() => fieldsOf(schema), [schema]);
  // By their numbers: a name with a dot in it would be a path to the form.
  const { register, handleSubmit, control, formState } = useForm({ defaultValues: { texts: fields.map(() => "") } });
  const texts = useWatch({ control, name: "texts" });

  useEffect(() => {
    if (fields.every((field, index) => check(field, texts[index] ?? "") === true)) onChange(toArgs(fields, texts));
  });

  return (
    <form onSubmit={handleSubmit((typed) => onRun(toArgs(fields, typed.texts)))} className="grid gap-3">
      {fields.length === 0 && <p className="text-muted text-sm">It takes no arguments.</p>}
      {fields.map((field, index) => (
        <ArgControl
          key={field.name}
          field={field}
          registration={register(`texts.${index}`, { validate: (text) => check(field, text) })}
          error={formState.errors.texts?.[index]?.message}
        />
      ))}
      <div className="flex flex-wrap items-end gap-3">
        {children}
        <button type="submit" disabled={isDisabled} className="button button-primary">
          {isRunning ? (
            <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />
          ) : (
            <Play aria-hidden="true" className="size-4" />
          )}
          Run
        </button>
      </div>
    </form>
  );
}

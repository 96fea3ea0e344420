import { type ReactNode, useMemo } from "react";
import { useForm, useWatch } from "react-hook-form";
import { ArgControl } from "./arg-control";
import type { Fn } from "./function-list";
import { check, fieldsOf, toArgs } from "./schema-fields";
import { Terminal } from "./terminal";

interface ArgsFormProps {
  schema: NonNullable<Fn["args"]>;
  /** The button, at the end of the form. */
  submit: ReactNode;
  /** What does the same from a terminal; `null` where nothing does. */
  command: ((args: Record<string, unknown>) => string) | null;
  onRun: (args: Record<string, unknown>) => void;
  /** Below the form. */
  result: ReactNode;
}

/** A form made from the shape of a function's arguments. */
export function ArgsForm({ schema, submit, command, onRun, result }: ArgsFormProps) {
  const fields = useMemo(() => fieldsOf(schema), [schema]);
  // By their numbers: a name with a dot in it would be a path to the form.
  const { register, handleSubmit, control, formState } = useForm({ defaultValues: { texts: fields.map(() => "") } });
  const texts = useWatch({ control, name: "texts" });

  const isReadable = fields.every((field, index) => check(field, texts[index] ?? "") === true);

  return (
    <>
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
        {submit}
      </form>
      {result}
      {command && isReadable && <Terminal command={command(toArgs(fields, texts))} />}
    </>
  );
}

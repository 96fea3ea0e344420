"use client";

import { LoaderCircle } from "lucide-react";
import { createContext, type InputHTMLAttributes, type ReactNode, use, useActionState, useId } from "react";
import { ErrorText } from "./lists";

interface FormProps {
  /** Returns the text to show on success. An error that it throws is shown instead. `value` reads a field. */
  onSubmit: (value: (name: string) => string) => Promise<unknown>;
  /** What the button says. */
  submit: string;
  /** Whether what it does cannot be undone. */
  isDangerous?: boolean;
  children?: ReactNode;
}

interface Outcome {
  answer?: unknown;
  /** What was entered, so that a form that failed keeps it. */
  entered?: FormData;
  error?: unknown;
}

const Entered = createContext<FormData | undefined>(undefined);

/**
 * A form with its button, which shows the result or the error of submitting it:
 *
 *     <Form submit="Save" onSubmit={async (value) => { await save(value("name")); return "Saved."; }}>
 *       <Field label="Name" name="name" required />
 *     </Form>
 */
export function Form({ onSubmit, submit, isDangerous = false, children }: FormProps) {
  const [{ answer, entered, error }, send, isPending] = useActionState<Outcome, FormData>(async (_, form) => {
    try {
      return { answer: await onSubmit((name) => form.get(name)?.toString() ?? "") };
    } catch (error) {
      return { error, entered: form };
    }
  }, {});
  return (
    // With an action, a form that is submitted before the page is hydrated waits. Otherwise the browser would put the
    // password into the address.
    <form action={send} className="grid gap-4">
      <Entered value={entered}>{children}</Entered>
      {!isPending && <ErrorText error={error} />}
      <p role="status" className="wrap-anywhere text-sm empty:sr-only">
        {!isPending && typeof answer === "string" && answer}
      </p>
      <button
        type="submit"
        disabled={isPending}
        className={`button ${isDangerous ? "button-danger" : "button-primary"}`}
      >
        {isPending && <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />}
        {submit}
      </button>
    </form>
  );
}

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  name: string;
  /** A hint below the field, for example the rule for passwords. */
  hint?: string;
}

/** A field of a form. What was entered stays when the form fails, except for passwords. */
export function Field({ label, hint, defaultValue, ...input }: FieldProps) {
  const id = useId();
  const entered = use(Entered)?.get(input.name);
  const kept = input.type !== "password" && typeof entered === "string" ? entered : defaultValue;
  return (
    <div className="grid gap-1.5">
      <label htmlFor={id} className="font-medium text-sm">
        {label}
      </label>
      <input {...input} id={id} defaultValue={kept} aria-describedby={hint && `${id}-hint`} className="field" />
      {hint && (
        <p id={`${id}-hint`} className="text-muted text-xs">
          {hint}
        </p>
      )}
    </div>
  );
}

/** The field for the current password. */
export const CurrentPassword = ({ label = "Password", name = "password" }: { label?: string; name?: string }) => (
  <Field label={label} name={name} type="password" autoComplete="current-password" required maxLength={128} />
);

/** The field for a new password. */
export const NewPassword = ({ label }: { label: string }) => (
  <Field
    label={label}
    name="newPassword"
    type="password"
    autoComplete="new-password"
    required
    minLength={8}
    maxLength={128}
    hint="8 characters or more"
  />
);

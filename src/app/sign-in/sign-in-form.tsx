"use client";

import { LoaderCircle } from "lucide-react";
import Link from "next/link";
import { useActionState, useId } from "react";
import { AuthError, authClient, explainError } from "~/kit/client";

interface SignInFormProps {
  /** The path to go to after signing in. */
  next: string;
  /** Whether to create an account instead of signing in to one. */
  isNew: boolean;
  /** Whether the visitor may have files and messages, which become the account's. */
  isVisitor: boolean;
}

export function SignInForm({ next, isNew, isVisitor }: SignInFormProps) {
  const id = useId();
  const [state, submit, isPending] = useActionState(async (_: unknown, form: FormData) => {
    const values = { name: text(form, "name"), email: text(form, "email") };
    const credentials = { email: values.email, password: text(form, "password") };
    try {
      const { error } = isNew
        ? await authClient.signUp.email({ ...credentials, name: values.name })
        : await authClient.signIn.email(credentials);
      if (error) throw new AuthError(error);
    } catch (error) {
      return { ...values, error };
    }
    // Load the page again, because everything on it may look different now. The form stays disabled until then.
    window.location.assign(next);
    return new Promise<never>(() => undefined);
  }, null);

  return (
    // With an action, a form that is submitted before the page is hydrated waits. Otherwise the browser would put the
    // password into the address.
    <form action={submit} className="grid gap-4 rounded-3xl border border-line bg-surface p-6 shadow-raised sm:p-8">
      <div className="mb-1 grid gap-1.5">
        <h1 className="font-semibold text-xl tracking-tight">{isNew ? "Create an account" : "Sign in"}</h1>
        <p className="text-pretty text-muted text-sm">
          {isVisitor
            ? "What you have sent and uploaded in this browser will belong to your account."
            : "With an account your files and pictures are yours on every device."}
        </p>
      </div>
      {isNew && (
        <div className="grid gap-1.5">
          <label htmlFor={`${id}-name`} className="font-medium text-sm">
            Name
          </label>
          <input
            id={`${id}-name`}
            name="name"
            autoComplete="name"
            required
            maxLength={100}
            defaultValue={state?.name}
            className="field"
          />
        </div>
      )}
      <div className="grid gap-1.5">
        <label htmlFor={`${id}-email`} className="font-medium text-sm">
          Email
        </label>
        <input
          id={`${id}-email`}
          name="email"
          type="email"
          autoComplete="username"
          required
          defaultValue={state?.email}
          className="field"
        />
      </div>
      <div className="grid gap-1.5">
        <label htmlFor={`${id}-password`} className="font-medium text-sm">
          Password
        </label>
        <input
          id={`${id}-password`}
          name="password"
          type="password"
          autoComplete={isNew ? "new-password" : "current-password"}
          required
          minLength={isNew ? 8 : undefined}
          maxLength={128}
          aria-describedby={isNew ? `${id}-rule` : undefined}
          className="field"
        />
        {isNew && (
          <p id={`${id}-rule`} className="text-muted text-xs">
            8 characters or more
          </p>
        )}
      </div>
      {state?.error !== undefined && !isPending && (
        <p role="alert" className="text-danger text-sm">
          {explainError(state.error)}
        </p>
      )}
      <button type="submit" disabled={isPending} className="button button-primary mt-1">
        {isPending && <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />}
        {isNew ? "Create account" : "Sign in"}
      </button>
      <p className="text-center text-muted text-sm">
        {isNew ? "You have one already?" : "New here?"}{" "}
        <Link
          href={{ pathname: "/sign-in", query: isNew ? { next } : { next, new: "" } }}
          replace
          className="inline-flex h-11 items-center font-medium text-accent underline"
        >
          {isNew ? "Sign in" : "Create an account"}
        </Link>
      </p>
    </form>
  );
}

const text = (form: FormData, name: string) => form.get(name)?.toString() ?? "";

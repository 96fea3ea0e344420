"use client";

import Link from "next/link";
import { useState } from "react";
import { Providers } from "~/components/providers";
import { AuthError, authClient, CurrentPassword, Field, Form, loadPage, NewPassword } from "~/kit/client";
import type { Provider } from "~/kit/pages";

interface SignInFormProps {
  /** The path to go to after signing in. */
  next: string;
  /** Whether to create an account instead of signing in to one. */
  isNew: boolean;
  /** Whether the visitor may have files and messages, which become the account's. */
  isVisitor: boolean;
  /** The mail that led here, which confirms an address. */
  confirm?: { token: string; email: string };
  /** Whether the app sends mail. */
  sendsEmail: boolean;
  providers: Provider[];
  /** Why a provider did not sign in, as a code. */
  error?: string;
}

export function SignInForm({ next, isNew, isVisitor, confirm, sendsEmail, providers, error }: SignInFormProps) {
  /** An address that is to be confirmed before it can be signed in with. */
  const [unconfirmed, setUnconfirmed] = useState<string>();

  async function submit(value: (name: string) => string) {
    const email = value("email");
    try {
      if (isNew) {
        const account = { name: value("name"), email, password: value("newPassword") };
        const { token } = await authClient.signUp.email({ ...account, callbackURL: next });
        if (!token) return setUnconfirmed(email);
      } else {
        const body = { email, password: value("password"), confirm: confirm?.token };
        await authClient.$fetch("/sign-in/email", { method: "POST", body });
      }
    } catch (error) {
      if (error instanceof AuthError && error.code === "EMAIL_NOT_VERIFIED") return setUnconfirmed(email);
      throw error;
    }
    return loadPage(next);
  }

  if (unconfirmed) return <Unconfirmed email={unconfirmed} next={next} />;
  return (
    <div className="grid gap-4">
      <div className="mb-1 grid gap-1.5">
        <h1 className="font-semibold text-xl tracking-tight">
          {confirm ? "Confirm your address" : isNew ? "Create an account" : "Sign in"}
        </h1>
        <p className="text-pretty text-muted text-sm">
          {confirm
            ? "Enter your password, so that no one else can open an account with your address."
            : isVisitor
              ? "What you have sent and uploaded in this browser will belong to your account."
              : "With an account, what you make here is yours on every device."}
        </p>
      </div>
      <Form onSubmit={submit} submit={confirm ? "Confirm" : isNew ? "Create account" : "Sign in"}>
        {isNew && <Field label="Name" name="name" autoComplete="name" required maxLength={100} />}
        <Field label="Email" name="email" type="email" autoComplete="username" required defaultValue={confirm?.email} />
        {isNew ? <NewPassword label="Password" /> : <CurrentPassword />}
      </Form>
      {providers.length > 0 && (
        <Providers
          providers={providers}
          verb="Continue with"
          error={error}
          start={(provider) =>
            authClient.signIn.social({
              provider,
              callbackURL: next,
              errorCallbackURL: `/sign-in?${new URLSearchParams({ next })}`,
            })
          }
        />
      )}
      <p className="text-center text-muted text-sm">
        {isNew ? "Already have an account?" : "New here?"}{" "}
        <Link
          href={{ pathname: "/sign-in", query: isNew ? { next } : { next, new: "" } }}
          replace
          className="inline-flex h-11 items-center font-medium text-accent underline"
        >
          {isNew ? "Sign in" : "Create an account"}
        </Link>
      </p>
      {sendsEmail && !isNew && (
        <Link
          href="/sign-in/reset"
          className="-mt-5 inline-flex h-11 items-center justify-self-center font-medium text-accent text-sm underline"
        >
          Forgot your password?
        </Link>
      )}
    </div>
  );
}

function Unconfirmed({ email, next }: { email: string; next: string }) {
  async function sendAgain() {
    await authClient.sendVerificationEmail({ email, callbackURL: next });
    return "Sent. If it does not arrive within a minute, look in your spam folder.";
  }
  return (
    <Form onSubmit={sendAgain} submit="Send the mail again">
      <h1 className="font-semibold text-xl tracking-tight">Check your email</h1>
      <p className="wrap-anywhere text-pretty text-muted text-sm">
        We have sent a mail to {email}. Open its link to confirm that the address is yours. Then you can sign in.
      </p>
    </Form>
  );
}

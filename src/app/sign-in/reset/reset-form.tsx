"use client";

import Link from "next/link";
import { useState } from "react";
import { authClient, Field, Form, NewPassword } from "~/kit/client";

/** Asks for a mail with a link to choose a new password. With the `token` of such a link, it chooses the password. */
export function ResetForm({ token }: { token?: string }) {
  const [isDone, setDone] = useState(false);

  async function ask(value: (name: string) => string) {
    await authClient.requestPasswordReset({ email: value("email") });
    return "If there is an account with this address, a mail is on its way to it. Open its link.";
  }

  async function choose(value: (name: string) => string) {
    await authClient.resetPassword({ newPassword: value("newPassword"), token });
    setDone(true);
  }

  if (isDone) {
    return (
      <div className="grid gap-4">
        <h1 className="font-semibold text-xl tracking-tight">Your password is changed</h1>
        <p className="text-muted text-sm">All devices are signed out.</p>
        <Link href="/sign-in" className="button button-primary">
          Sign in
        </Link>
      </div>
    );
  }
  return (
    <div className="grid gap-4">
      <h1 className="font-semibold text-xl tracking-tight">Choose a new password</h1>
      {token ? (
        <Form onSubmit={choose} submit="Change password">
          <NewPassword label="New password" />
        </Form>
      ) : (
        <Form onSubmit={ask} submit="Send me a link">
          <Field label="Email" name="email" type="email" autoComplete="username" required />
        </Form>
      )}
    </div>
  );
}

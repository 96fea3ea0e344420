"use client";

import type { ReactNode } from "react";
import { Providers } from "~/components/providers";
import {
  AuthError,
  authClient,
  CurrentPassword,
  ErrorText,
  Field,
  Form,
  Loading,
  loadPage,
  NewPassword,
  useDevices,
  useWaysToSignIn,
} from "~/kit/client";
import type { Provider } from "~/kit/pages";
import { Devices } from "./devices";

interface AccountProps {
  email: string;
  /** Whether the user has confirmed the address. */
  isConfirmed: boolean;
  sendsEmail: boolean;
  providers: Provider[];
  /** Why a link or a provider led back here without success, as a code. */
  error?: string;
}

const here = "/account";

/** The page on which people change their account. */
export function Account({ email, isConfirmed, sendsEmail, providers, error }: AccountProps) {
  const ways = useWaysToSignIn();
  const { isPending } = useDevices();

  async function changeAddress(value: (name: string) => string) {
    await authClient.changeEmail({ newEmail: value("newEmail"), callbackURL: here });
    return isConfirmed
      ? `A mail is on its way to ${email}. Open its link, and then the one of the mail to the new address.`
      : "A mail is on its way to the new address. Open its link.";
  }

  async function confirm() {
    await authClient.sendVerificationEmail({ email, callbackURL: here });
    return "Sent. Open the link in the mail.";
  }

  async function changePassword(value: (name: string) => string) {
    const passwords = { currentPassword: value("currentPassword"), newPassword: value("newPassword") };
    await authClient.changePassword({ ...passwords, revokeOtherSessions: true });
    return "Your password is changed, and all other devices are signed out.";
  }

  async function askForPassword() {
    await authClient.requestPasswordReset({ email });
    return "A mail is on its way to you. Open its link.";
  }

  async function deleteAccount(value: (name: string) => string) {
    await authClient.deleteUser({ password: value("password") || undefined });
    return loadPage("/");
  }

  // All parts appear at once, so that none moves another.
  if (ways.isPending || isPending) return <Loading>Loading your account…</Loading>;
  return (
    <div className="grid gap-4 pb-8">
      <ErrorText error={error && new AuthError({ status: 400, code: error, message: "This did not work" })} />
      {sendsEmail && (
        <Section title="Email address">
          {!isConfirmed && (
            <Form onSubmit={confirm} submit="Send a mail to confirm it">
              <p className="text-muted text-sm">{email} is not confirmed yet.</p>
            </Form>
          )}
          <Form onSubmit={changeAddress} submit="Change address">
            <Field label="New address" name="newEmail" type="email" autoComplete="email" required />
          </Form>
        </Section>
      )}
      <ErrorText error={ways.error} />
      {ways.hasPassword && (
        <Section title="Password">
          <Form onSubmit={changePassword} submit="Change password">
            <CurrentPassword label="Current password" name="currentPassword" />
            <NewPassword label="New password" />
          </Form>
        </Section>
      )}
      {ways.hasPassword === false && sendsEmail && (
        <Section title="Password">
          <Form onSubmit={askForPassword} submit="Send me a link to choose one">
            <p className="text-muted text-sm">You sign in without a password.</p>
          </Form>
        </Section>
      )}
      {ways.hasPassword !== undefined && providers.length > 0 && (
        <Section title="Other ways to sign in">
          {ways.linked.map((id) => {
            const name = providers.find((provider) => provider.id === id)?.name ?? id;
            return (
              <div key={id} className="flex items-center justify-between gap-4 text-sm">
                {name}
                <button
                  type="button"
                  disabled={ways.isChanging}
                  onClick={() => ways.unlink(id)}
                  className="button button-quiet"
                >
                  Unlink {name}
                </button>
              </div>
            );
          })}
          <Providers
            providers={providers.filter(({ id }) => !ways.linked.includes(id))}
            verb="Link"
            start={(provider) => authClient.linkSocial({ provider, callbackURL: here, errorCallbackURL: here })}
          />
        </Section>
      )}
      <Section title="Devices">
        <Devices />
      </Section>
      {ways.hasPassword !== undefined && (
        <Section title="Delete the account">
          <Form onSubmit={deleteAccount} submit="Delete my account and everything in it" isDangerous>
            <p className="text-muted text-sm">What you have here is deleted too. This cannot be undone.</p>
            {ways.hasPassword && <CurrentPassword />}
          </Form>
        </Section>
      )}
    </div>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="card grid gap-4 sm:p-6">
      <h2 className="font-semibold text-lg tracking-tight">{title}</h2>
      {children}
    </section>
  );
}

"use client";

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Field, Form, NewPassword } from "~/components/form";
import { Providers } from "~/components/providers";
import { AuthError, authClient, explainError, Loading } from "~/kit/client";
import type { Provider } from "~/kit/pages";
import { Sessions, sessionsQuery } from "./sessions";

interface AccountProps {
  email: string;
  /** Whether the address is known to be theirs. */
  isConfirmed: boolean;
  sendsEmail: boolean;
  providers: Provider[];
  /** Why a link or a provider led back here without success, as a code. */
  error?: string;
}

const here = "/account";

/** What people can change of their account. */
export function Account({ email, isConfirmed, sendsEmail, providers, error }: AccountProps) {
  const accounts = useQuery({ queryKey: ["accounts"], queryFn: async () => answer(await authClient.listAccounts()) });
  const sessions = useQuery(sessionsQuery);
  const has = (provider: string) => accounts.data?.some(({ providerId }) => providerId === provider) ?? false;

  async function changeAddress(value: (name: string) => string) {
    answer(await authClient.changeEmail({ newEmail: value("newEmail"), callbackURL: here }));
    return isConfirmed
      ? `A mail is on its way to ${email}. Open its link, and then the one of the mail to the new address.`
      : "A mail is on its way to the new address. Open its link.";
  }

  async function confirm() {
    answer(await authClient.sendVerificationEmail({ email, callbackURL: here }));
    return "Sent. Open the link in the mail.";
  }

  async function changePassword(value: (name: string) => string) {
    const passwords = { currentPassword: value("currentPassword"), newPassword: value("newPassword") };
    answer(await authClient.changePassword({ ...passwords, revokeOtherSessions: true }));
    return "Your password is changed, and all other devices are signed out.";
  }

  async function askForPassword() {
    answer(await authClient.requestPasswordReset({ email }));
    return "A mail is on its way to you. Open its link.";
  }

  async function deleteAccount(value: (name: string) => string) {
    answer(await authClient.deleteUser({ password: value("password") || undefined }));
    window.location.assign("/");
    return new Promise<never>(() => undefined);
  }

  // All parts come at once, so that none moves another.
  if (accounts.isPending || sessions.isPending) return <Loading>Loading your account…</Loading>;
  return (
    <div className="grid gap-4 pb-8">
      {error && <Alert error={new AuthError({ status: 400, code: error, message: "This did not work" })} />}
      {sendsEmail && (
        <Section title="Email address">
          {!isConfirmed && (
            <Form onSubmit={confirm} submit="Send a mail to confirm it">
              <p className="text-muted text-sm">Nobody knows yet that {email} is yours.</p>
            </Form>
          )}
          <Form onSubmit={changeAddress} submit="Change address">
            <Field label="New address" name="newEmail" type="email" autoComplete="email" required />
          </Form>
        </Section>
      )}
      {accounts.isError && <Alert error={accounts.error} />}
      {accounts.data && (has("credential") || sendsEmail) && (
        <Section title="Password">
          {has("credential") ? (
            <Form onSubmit={changePassword} submit="Change password">
              <Field
                label="Current password"
                name="currentPassword"
                type="password"
                autoComplete="current-password"
                required
              />
              <NewPassword label="New password" />
            </Form>
          ) : (
            <Form onSubmit={askForPassword} submit="Send me a link to choose one">
              <p className="text-muted text-sm">You sign in without a password.</p>
            </Form>
          )}
        </Section>
      )}
      {accounts.data && providers.length > 0 && (
        <Section title="Other ways to sign in">
          <Linked accounts={accounts.data.filter(({ providerId }) => providerId !== "credential")} all={providers} />
          <Providers
            providers={providers.filter(({ id }) => !has(id))}
            verb="Link"
            start={(provider) => authClient.linkSocial({ provider, callbackURL: here, errorCallbackURL: here })}
          />
        </Section>
      )}
      <Section title="Devices">
        <Sessions />
      </Section>
      {accounts.data && (
        <Section title="Delete the account">
          <Form onSubmit={deleteAccount} submit="Delete my account and everything in it" isDangerous>
            <p className="text-pretty text-muted text-sm">
              Your messages, files and pictures are deleted too. This cannot be undone.
            </p>
            {has("credential") && (
              <Field label="Password" name="password" type="password" autoComplete="current-password" required />
            )}
          </Form>
        </Section>
      )}
    </div>
  );
}

interface LinkedProps {
  accounts: { id: string; providerId: string }[];
  all: Provider[];
}

/** The providers that can be signed in with. The last way to sign in cannot be removed. */
function Linked({ accounts, all }: LinkedProps) {
  const queryClient = useQueryClient();
  const unlinking = useMutation({
    mutationFn: async (accountId: string) => answer(await authClient.unlinkAccount({ accountId })),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["accounts"] }),
  });
  return (
    <>
      {accounts.map(({ id, providerId }) => {
        const name = all.find((provider) => provider.id === providerId)?.name ?? providerId;
        return (
          <div key={id} className="flex items-center justify-between gap-4 text-sm">
            {name}
            <button
              type="button"
              disabled={unlinking.isPending}
              onClick={() => unlinking.mutate(id)}
              className="button button-quiet"
            >
              Unlink {name}
            </button>
          </div>
        );
      })}
      {unlinking.isError && <Alert error={unlinking.error} />}
    </>
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

function Alert({ error }: { error: Error }) {
  return (
    <p role="alert" className="text-danger text-sm">
      {explainError(error)}
    </p>
  );
}

/** The data of an answer. Throws its error. */
function answer<T>({ data, error }: { data: T; error: ConstructorParameters<typeof AuthError>[0] | null }) {
  if (error) throw new AuthError(error);
  return data;
}

"use client";

import { useMutation } from "@tanstack/react-query";
import { AuthError, ErrorText } from "~/kit/client";
import type { Provider } from "~/kit/pages";

interface ProvidersProps {
  providers: Provider[];
  /** What the buttons say before the provider's name. */
  verb: string;
  /** Asks for the provider's page, which the browser then goes to. */
  start: (provider: Provider["id"]) => Promise<unknown>;
  /** Why a provider sent the browser back, as a code. */
  error?: string;
}

/** Buttons that lead to providers such as GitHub, and back. */
export function Providers({ providers, verb, start, error }: ProvidersProps) {
  const leaving = useMutation({ mutationFn: start });
  return (
    <div className="grid gap-2">
      {providers.map(({ id, name }) => (
        <button
          key={id}
          type="button"
          disabled={leaving.isPending}
          onClick={() => leaving.mutate(id)}
          className="button button-quiet"
        >
          {verb} {name}
        </button>
      ))}
      <ErrorText error={leaving.error ?? (error && new AuthError({ status: 403, code: error }))} />
    </div>
  );
}

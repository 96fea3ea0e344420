"use client";

import { queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { AuthError, authClient, explainError, Timestamp } from "~/kit/client";

/** The sessions of the account, that of this device first. */
export const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: async () => {
    const [all, current] = await Promise.all([authClient.listSessions(), authClient.getSession()]);
    if (all.error) throw new AuthError(all.error);
    return all.data
      .map((session) => ({ ...session, isCurrent: session.id === current.data?.session.id }))
      .sort((a, b) => Number(b.isCurrent) - Number(a.isCurrent) || b.updatedAt.getTime() - a.updatedAt.getTime());
  },
});

/** The devices that are signed in. */
export function Sessions() {
  const queryClient = useQueryClient();
  const sessions = useQuery(sessionsQuery);
  const ending = useMutation({
    /** @param token of one session; without it all others */
    mutationFn: async (token?: string) => {
      const { error } = token ? await authClient.revokeSession({ token }) : await authClient.revokeOtherSessions();
      if (error) throw new AuthError(error);
    },
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["sessions"] }),
  });
  const failure = sessions.error ?? ending.error;
  const rows = sessions.data ?? [];
  return (
    <>
      <ul className="grid gap-2">
        {rows.map(({ id, token, userAgent, updatedAt, isCurrent }) => (
          <li key={id} className="flex min-h-11 items-center justify-between gap-4 text-sm">
            <span className="min-w-0">
              <span className="block truncate">{deviceOf(userAgent ?? "")}</span>
              {isCurrent ? (
                <span className="text-muted text-xs">This device</span>
              ) : (
                <Timestamp at={Number(updatedAt)} />
              )}
            </span>
            {!isCurrent && (
              <button
                type="button"
                disabled={ending.isPending}
                onClick={() => ending.mutate(token)}
                className="button button-quiet"
              >
                Sign out
              </button>
            )}
          </li>
        ))}
      </ul>
      {rows.length > 1 && (
        <button
          type="button"
          disabled={ending.isPending}
          onClick={() => ending.mutate(undefined)}
          className="button button-quiet"
        >
          Sign out all other devices
        </button>
      )}
      {failure && (
        <p role="alert" className="text-danger text-sm">
          {explainError(failure)}
        </p>
      )}
    </>
  );
}

/** In words what a `User-Agent` says. Later names contain earlier ones. */
function deviceOf(userAgent: string): string {
  const find = (names: [string, RegExp][]) => names.find(([, sign]) => sign.test(userAgent))?.[0];
  const browser = find([
    ["Edge", /Edg/],
    ["Opera", /OPR\//],
    ["Firefox", /Firefox|FxiOS/],
    ["Chrome", /Chrome|CriOS/],
    ["Safari", /Safari/],
  ]);
  const system = find([
    ["iPhone", /iPhone/],
    ["iPad", /iPad/],
    ["Android", /Android/],
    ["Windows", /Windows/],
    ["Mac", /Mac OS X/],
    ["Linux", /Linux/],
  ]);
  return [browser ?? "A program", system].filter(Boolean).join(" on ");
}

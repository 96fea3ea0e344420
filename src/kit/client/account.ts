import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { authClient } from "./auth-client";

/**
 * How the viewer's account can be signed in to, for the account's page:
 *
 *     const { hasPassword, linked, link, unlink, error } = useWaysToSignIn();
 *
 * `hasPassword` is `undefined` while it loads. `linked` are the ids of the providers. The last way cannot be removed.
 */
export function useWaysToSignIn() {
  const { list, change } = useAccountList(["ways-to-sign-in"], () => authClient.listAccounts());
  const isPassword = ({ providerId }: { providerId: string }) => providerId === "credential";
  return {
    hasPassword: list.data?.some(isPassword),
    linked: list.data?.filter((account) => !isPassword(account)).map(({ providerId }) => providerId) ?? [],
    unlink: (provider: string) =>
      change.mutate(async () => {
        const account = list.data?.find(({ providerId }) => providerId === provider);
        if (account) await authClient.unlinkAccount({ accountId: account.id });
      }),
    isPending: list.isPending,
    isChanging: change.isPending,
    error: list.error ?? change.error,
  };
}

/** The devices that are signed in, this one first, and then by when they were used. */
export function useDevices() {
  const { list, change } = useAccountList(["devices"], async () => {
    const [sessions, here] = await Promise.all([authClient.listSessions(), authClient.getSession()]);
    return sessions
      .map(({ id, token, userAgent, updatedAt }) => ({
        id,
        token,
        name: deviceName(userAgent ?? ""),
        usedAt: updatedAt.getTime(),
        isThis: id === here?.session.id,
      }))
      .sort((a, b) => Number(b.isThis) - Number(a.isThis) || b.usedAt - a.usedAt);
  });
  return {
    devices: list.data ?? [],
    signOut: (token: string) => change.mutate(() => authClient.revokeSession({ token })),
    signOutOthers: () => change.mutate(() => authClient.revokeOtherSessions()),
    isPending: list.isPending,
    isChanging: change.isPending,
    error: list.error ?? change.error,
  };
}

/** A list that belongs to the account. It is refetched after each change to it. */
function useAccountList<T>(queryKey: string[], queryFn: () => Promise<T>) {
  const queryClient = useQueryClient();
  const list = useQuery({ queryKey, queryFn });
  const change = useMutation({
    mutationFn: (run: () => Promise<unknown>) => run(),
    onSettled: () => queryClient.invalidateQueries({ queryKey }),
  });
  return { list, change };
}

/** Names the browser and the system of a `User-Agent`. The order matters: Edge, for example, also calls itself Chrome. */
function deviceName(userAgent: string): string {
  const find = (names: Record<string, RegExp>) => Object.entries(names).find(([, sign]) => sign.test(userAgent))?.[0];
  const browser = find({
    Edge: /Edg/,
    Opera: /OPR\//,
    Firefox: /Firefox|FxiOS/,
    Chrome: /Chrome|CriOS/,
    Safari: /Safari/,
  });
  const system = find({
    iPhone: /iPhone/,
    iPad: /iPad/,
    Android: /Android/,
    Windows: /Windows/,
    Mac: /Mac OS X/,
    Linux: /Linux/,
  });
  return [browser ?? "A program", system].filter(Boolean).join(" on ");
}

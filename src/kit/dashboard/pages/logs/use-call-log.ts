import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Answers } from "../parts/api";
import { useTRPCClient } from "../parts/api";

type Log = Answers["calls"]["list"];
export type Call = Log["calls"][number];

export interface LogFilter {
  /** All of these are `""` for any. */
  function: string;
  outcome: string;
  text: string;
}

/** Milliseconds between two looks for new calls, and by how much those of other processes may come late. */
const interval = 1_000;
const lateness = 5_000;
/** Calls of one answer, and calls that are kept. */
const limit = 100;
const most = 2_000;

/** The calls that match, the newest first: those that come while one looks, and older ones when asked for. */
export function useCallLog({ function: name, outcome, text }: LogFilter, isPaused: boolean) {
  const client = useTRPCClient().dashboard.calls;
  const queryClient = useQueryClient();
  const wanted = { function: name || undefined, outcome: outcome || undefined, text: text || undefined, limit };
  const queryKey = ["call log", wanted];

  const log = useQuery({
    queryKey,
    queryFn: async () => {
      const known = queryClient.getQueryData<Log>(queryKey);
      const newest = known?.calls[0];
      if (!newest) return client.list.query(wanted);
      const answer = await client.list.query({ ...wanted, after: newest.time - lateness });
      return withNewer(known, answer);
    },
    refetchInterval: isPaused ? false : interval,
    refetchOnMount: !isPaused,
  });

  const older = useMutation({
    mutationFn: (before: string) => client.list.query({ ...wanted, before }),
    onSuccess: ({ calls, nextCursor }) =>
      queryClient.setQueryData<Log>(queryKey, (known) => ({ calls: [...(known?.calls ?? []), ...calls], nextCursor })),
  });

  const nextCursor = log.data?.nextCursor;
  return {
    calls: log.data?.calls ?? [],
    isPending: log.isPending,
    error: log.data ? older.error : log.error,
    retry: () => void log.refetch(),
    /** `null` where there are none. */
    loadOlder: nextCursor ? () => older.mutate(nextCursor) : null,
    isLoadingOlder: older.isPending,
  };
}

/** When so many came that some between are not known, the log begins anew with the latest. */
function withNewer(known: Log, answer: Log): Log {
  const ids = new Set(known.calls.map(({ _id }) => _id));
  const fresh = answer.calls.filter(({ _id }) => !ids.has(_id));
  if (fresh.length === limit) return answer;
  const calls = [...fresh, ...known.calls].sort((one, other) => (one._id < other._id ? 1 : -1));
  const last = calls[most - 1];
  return last ? { calls: calls.slice(0, most), nextCursor: last._id } : { calls, nextCursor: known.nextCursor };
}

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useViewer } from "../../../client/viewer";
import { useTRPC } from "../parts/api";

/** Who functions run as: whoever has the email address that is typed, at first the viewer, or nobody when it is empty. */
export function useRunner() {
  const viewer = useViewer();
  const [email, setEmail] = useState(viewer?.email ?? "");
  const users = useQuery({
    ...useTRPC().dashboard.functions.users.queryOptions({ search: email }),
    placeholderData: keepPreviousData,
  });
  const user = users.data?.find((candidate) => candidate.email === email.toLowerCase());
  return {
    email,
    setEmail,
    /** Those whose addresses begin so. */
    candidates: users.data ?? [],
    name: user?.name,
    /** `null` is nobody, `undefined` no account of this address. */
    userId: email === "" ? null : user?.id,
    isPending: users.isFetching,
  };
}

export type Runner = ReturnType<typeof useRunner>;

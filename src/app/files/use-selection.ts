import { useState } from "react";

/** Keeps track of which of these ids are selected. Ids that disappear are no longer selected. */
export function useSelection(ids: readonly string[]) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const selected = ids.filter((id) => chosen.has(id));
  return {
    selected,
    has: (id: string) => chosen.has(id),
    set(id: string, isSelected: boolean) {
      const next = new Set(chosen);
      if (isSelected) next.add(id);
      else next.delete(id);
      setChosen(next);
    },
    setAll: (isSelected: boolean) => setChosen(new Set(isSelected ? ids : [])),
  };
}

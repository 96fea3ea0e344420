import { useState } from "react";

/** Which of these ids are selected. Those that are no longer there do not count. */
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

import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import { useTRPC } from "../parts/api";
import type { LogFilter } from "./use-call-log";

/** Milliseconds without a key before what was typed is looked for. */
const pause = 300;

interface LogFiltersProps {
  filters: LogFilter;
  onChange: (filters: LogFilter) => void;
}

export function LogFilters({ filters, onChange }: LogFiltersProps) {
  const id = useId();
  const functions = useQuery(useTRPC().dashboard.functions.list.queryOptions());
  const [text, setText] = useState(filters.text);
  useEffect(() => {
    if (text === filters.text) return;
    const timer = setTimeout(() => onChange({ ...filters, text }), pause);
    return () => clearTimeout(timer);
  }, [text, filters, onChange]);

  return (
    <div className="mb-4 grid gap-3 sm:grid-cols-[14rem_10rem_1fr]">
      <div className="grid gap-1">
        <label htmlFor={`${id}-function`} className="font-medium text-muted text-xs">
          Function
        </label>
        <select
          id={`${id}-function`}
          value={filters.function}
          onChange={({ target }) => onChange({ ...filters, function: target.value })}
          className="field"
        >
          <option value="">All functions</option>
          {/* One that was asked for by the address may be gone. */}
          {!functions.data && filters.function && <option>{filters.function}</option>}
          {functions.data?.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
      <div className="grid gap-1">
        <label htmlFor={`${id}-outcome`} className="font-medium text-muted text-xs">
          Outcome
        </label>
        <select
          id={`${id}-outcome`}
          value={filters.outcome}
          onChange={({ target }) => onChange({ ...filters, outcome: target.value })}
          className="field"
        >
          <option value="">Any</option>
          <option value="ok">Succeeded</option>
          <option value="error">Failed</option>
        </select>
      </div>
      <div className="grid gap-1">
        <label htmlFor={`${id}-text`} className="font-medium text-muted text-xs">
          Text
        </label>
        <input
          id={`${id}-text`}
          type="search"
          value={text}
          maxLength={200}
          onChange={({ target }) => setText(target.value)}
          placeholder="In what was printed or thrown"
          className="field"
        />
      </div>
    </div>
  );
}

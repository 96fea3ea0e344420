import { useId } from "react";
import type { Runner } from "./use-runner";

export function RunAs({ runner: { email, setEmail, candidates, name, userId, isPending } }: { runner: Runner }) {
  const id = useId();
  const isUnknown = userId === undefined && !isPending;
  return (
    <div className="grid min-w-56 flex-1 gap-1">
      <label htmlFor={id} className="font-medium text-xs">
        Run as
      </label>
      <input
        id={id}
        list={`${id}-users`}
        value={email}
        onChange={({ target }) => setEmail(target.value)}
        placeholder="Nobody"
        autoComplete="off"
        aria-describedby={`${id}-who`}
        className="field"
      />
      <datalist id={`${id}-users`}>
        {candidates.map((user) => (
          <option key={user.id} value={user.email}>
            {user.name}
          </option>
        ))}
      </datalist>
      <p id={`${id}-who`} className={`truncate text-xs ${isUnknown ? "text-danger" : "text-muted"}`}>
        {userId === null ? "Without an identity" : isUnknown ? "No account has this address" : (name ?? "…")}
      </p>
    </div>
  );
}

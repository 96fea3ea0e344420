import { useId } from "react";
import type { UseFormRegisterReturn } from "react-hook-form";
import type { ArgField } from "./schema-fields";

interface ArgControlProps {
  field: ArgField;
  registration: UseFormRegisterReturn;
  error: string | undefined;
}

/** One argument of a form. */
export function ArgControl({
  field: { name, isRequired, control, choices, hint },
  registration,
  error,
}: ArgControlProps) {
  const id = useId();
  const common = {
    ...registration,
    id,
    "aria-describedby": `${id}-hint`,
    "aria-invalid": error !== undefined,
    "aria-required": isRequired,
  };
  return (
    <div className="grid gap-1">
      <label htmlFor={id} className="font-medium font-mono text-xs">
        {name}
        {!isRequired && <span className="font-normal font-sans text-muted"> (optional)</span>}
      </label>
      {control === "boolean" || control === "choice" ? (
        <select {...common} className="field">
          <option value="">–</option>
          {(control === "boolean" ? ["true", "false"] : choices).map((choice) => (
            <option key={choice}>{choice}</option>
          ))}
        </select>
      ) : control === "json" ? (
        <textarea {...common} rows={3} spellCheck={false} className="field h-auto py-2 font-mono" />
      ) : (
        <input
          {...common}
          inputMode={control === "number" ? "decimal" : undefined}
          autoComplete="off"
          className="field"
        />
      )}
      <p id={`${id}-hint`} className={`text-xs ${error ? "text-danger" : "text-muted"}`}>
        {error ?? (control === "json" ? `As JSON: ${hint}` : hint)}
      </p>
    </div>
  );
}

import { keepPreviousData, type UseMutationResult, useQuery } from "@tanstack/react-query";
import { LoaderCircle, type LucideIcon } from "lucide-react";
import Link from "next/link";
import { type ReactNode, useId, useMemo, useState } from "react";
import { type UseFormRegisterReturn, useForm, useWatch } from "react-hook-form";
import { ErrorText } from "../../client/components/lists";
import { useViewer } from "../../client/viewer";
import { type Answers, CopyButton, formatDuration, useTRPC } from "./parts";
import { type ArgField, check, type Fn, fieldsOf, toArgs } from "./schema-fields";

interface ArgsFormProps {
  schema: NonNullable<Fn["args"]>;
  /** The button at the end of the form. */
  submit: ReactNode;
  /** Returns a shell command that does the same. `null` for functions that clients cannot call. */
  command: ((args: Record<string, unknown>) => string) | null;
  onRun: (args: Record<string, unknown>) => void;
  /** Shown below the form. */
  result: ReactNode;
}

/** A form that is generated from the arguments of a function. */
export function ArgsForm({ schema, submit, command, onRun, result }: ArgsFormProps) {
  const fields = useMemo(() => fieldsOf(schema), [schema]);
  // Fields are registered by index, because the form would read a name with a dot as a path.
  const { register, handleSubmit, control, formState } = useForm({ defaultValues: { texts: fields.map(() => "") } });
  const texts = useWatch({ control, name: "texts" });

  const isReadable = fields.every((field, index) => check(field, texts[index] ?? "") === true);

  return (
    <>
      <form onSubmit={handleSubmit((typed) => onRun(toArgs(fields, typed.texts)))} className="grid gap-3">
        {fields.length === 0 && <p className="text-muted text-sm">It takes no arguments.</p>}
        {fields.map((field, index) => (
          <ArgControl
            key={field.name}
            field={field}
            registration={register(`texts.${index}`, { validate: (text) => check(field, text) })}
            error={formState.errors.texts?.[index]?.message}
          />
        ))}
        {submit}
      </form>
      {result}
      {command && isReadable && <Terminal command={command(toArgs(fields, texts))} />}
    </>
  );
}

interface ArgControlProps {
  field: ArgField;
  registration: UseFormRegisterReturn;
  error: string | undefined;
}

/** The control for one argument. */
function ArgControl({ field: { name, isRequired, control, choices, hint }, registration, error }: ArgControlProps) {
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

export interface HttpRequest {
  method: string;
  /** Below `/http`. */
  path: string;
  contentType: string;
  body: string;
}

interface RequestFormProps {
  /** For example `POST /sendImage`. */
  route: string;
  /** The button at the end of the form. */
  submit: ReactNode;
  /** Returns a shell command that does the same. */
  command: (request: HttpRequest) => string;
  onSend: (request: HttpRequest) => void;
  /** Shown below the form. */
  result: ReactNode;
}

/** A form that sends a request to an HTTP action. */
export function RequestForm({ route, submit, command, onSend, result }: RequestFormProps) {
  const id = useId();
  const [method = "GET", pattern = "/"] = route.split(" ");
  const hasBody = method !== "GET";
  const { register, handleSubmit, control } = useForm<HttpRequest>({
    defaultValues: {
      method,
      path: pattern.replace(/\*$/, ""),
      contentType: hasBody ? "application/json" : "",
      body: "",
    },
  });
  const request = { method, path: pattern, contentType: "", body: "", ...useWatch({ control }) };

  return (
    <>
      <form onSubmit={handleSubmit(onSend)} className="grid gap-3">
        <div className="grid gap-1">
          <label htmlFor={`${id}-path`} className="font-medium text-xs">
            Path below /http, with its query string
          </label>
          <input
            {...register("path", { pattern: /^\// })}
            id={`${id}-path`}
            autoComplete="off"
            className="field font-mono"
          />
        </div>
        {hasBody && (
          <>
            <div className="grid gap-1">
              <label htmlFor={`${id}-type`} className="font-medium text-xs">
                Content-Type
              </label>
              <input {...register("contentType")} id={`${id}-type`} autoComplete="off" className="field font-mono" />
            </div>
            <div className="grid gap-1">
              <label htmlFor={`${id}-body`} className="font-medium text-xs">
                Body
              </label>
              <textarea
                {...register("body")}
                id={`${id}-body`}
                rows={4}
                spellCheck={false}
                className="field h-auto py-2 font-mono"
              />
            </div>
          </>
        )}
        {submit}
      </form>
      {result}
      <Terminal command={command(request)} />
    </>
  );
}

interface SubmitRowProps {
  icon: LucideIcon;
  label: string;
  isDisabled: boolean;
  isRunning: boolean;
  /** Shown beside the button. */
  children: ReactNode;
}

/** The last row of a form, with its button. */
export function SubmitRow({ icon: Icon, label, isDisabled, isRunning, children }: SubmitRowProps) {
  return (
    <div className="flex flex-wrap items-start gap-3">
      {children}
      <button type="submit" disabled={isDisabled} className="button button-primary sm:mt-5">
        {isRunning ? (
          <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />
        ) : (
          <Icon aria-hidden="true" className="size-4" />
        )}
        {label}
      </button>
    </div>
  );
}

/**
 * Chooses the user that functions run as: the one with the typed email address, by default the viewer. When the field is
 * empty, functions run without an identity.
 */
export function useRunner() {
  const viewer = useViewer();
  const [email, setEmail] = useState(viewer?.email ?? "");
  const users = useQuery({
    ...useTRPC().dashboard.users.list.queryOptions({ search: email }),
    placeholderData: keepPreviousData,
  });
  const user = users.data?.page.find((candidate) => candidate.email === email.toLowerCase());
  return {
    email,
    setEmail,
    /** Users whose addresses begin with the typed text. */
    candidates: users.data?.page ?? [],
    name: user?.name,
    /** `null` for no identity, `undefined` when no account has this address. */
    userId: email === "" ? null : user?.id,
    isPending: users.isFetching,
  };
}

type Runner = ReturnType<typeof useRunner>;

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
        placeholder="No identity"
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

type Run = Answers["functions"]["run"];

/** The result of a run, and how long it took. */
export function RunResult({
  run,
}: {
  run: Pick<UseMutationResult<Run | null, unknown, never>, "data" | "error" | "isPending">;
}) {
  if (run.error) return <ErrorText error={run.error} className="mt-4" />;
  if (!run.data || run.isPending) return null;
  const { outcome, milliseconds, requestId } = run.data;
  const isError = "error" in outcome;
  const text = isError ? outcome.error.message : (JSON.stringify(outcome.result, null, 2) ?? "undefined");
  return (
    <div className="mt-5">
      <div role="status" className="flex items-baseline gap-3 pb-1 text-sm">
        <span className={`font-medium ${isError ? "text-danger" : ""}`}>{isError ? outcome.error.code : "Result"}</span>
        <span className="text-muted text-xs tabular-nums">took {formatDuration(milliseconds)}</span>
        <Link
          prefetch={false}
          href={{ pathname: "/dashboard/logs", query: { request: requestId } }}
          className="ml-auto text-accent text-xs underline-offset-2 hover:underline"
        >
          What it printed
        </Link>
      </div>
      <pre
        tabIndex={0}
        className="wrap-anywhere max-h-96 overflow-auto whitespace-pre-wrap rounded-xl bg-sunken p-3 font-mono text-xs"
      >
        {text}
      </pre>
    </div>
  );
}

/** A command to copy. */
function Terminal({ command }: { command: string }) {
  return (
    <div className="mt-5">
      <div className="flex items-center justify-between">
        <h3 className="font-medium text-muted text-xs">From a terminal</h3>
        <CopyButton text={command} label="Copy the curl command" />
      </div>
      <pre
        // Keyboard users can focus and scroll it.
        tabIndex={0}
        className="overflow-x-auto rounded-xl bg-sunken p-3 font-mono text-xs"
      >
        {command}
      </pre>
    </div>
  );
}

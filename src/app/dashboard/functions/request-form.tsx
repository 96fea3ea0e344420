import { LoaderCircle, Send } from "lucide-react";
import { type ReactNode, useId } from "react";
import { useForm, useWatch } from "react-hook-form";
import { Terminal } from "./terminal";

export interface HttpRequest {
  method: string;
  /** Below `/http`. */
  path: string;
  contentType: string;
  body: string;
}

interface RequestFormProps {
  /** As `POST /sendImage`. */
  route: string;
  isDisabled: boolean;
  isRunning: boolean;
  /** What does the same from a terminal. */
  command: (request: HttpRequest) => string;
  onSend: (request: HttpRequest) => void;
  /** Beside the button. */
  runAs: ReactNode;
  /** Below it. */
  result: ReactNode;
}

/** A request to an HTTP action. */
export function RequestForm({ route, isDisabled, isRunning, command, onSend, runAs, result }: RequestFormProps) {
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
        <div className="flex flex-wrap items-start gap-3">
          {runAs}
          <button type="submit" disabled={isDisabled} className="button button-primary sm:mt-5">
            {isRunning ? (
              <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />
            ) : (
              <Send aria-hidden="true" className="size-4" />
            )}
            Send
          </button>
        </div>
      </form>
      {result}
      <Terminal command={command(request)} />
    </>
  );
}

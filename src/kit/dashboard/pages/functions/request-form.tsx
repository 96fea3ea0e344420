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
  /** The button, at the end of the form. */
  submit: ReactNode;
  /** What does the same from a terminal. */
  command: (request: HttpRequest) => string;
  onSend: (request: HttpRequest) => void;
  /** Below the form. */
  result: ReactNode;
}

/** A request to an HTTP action. */
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

import { LoaderCircle, Send } from "lucide-react";
import { type ReactNode, useEffect, useId } from "react";
import { useForm, useWatch } from "react-hook-form";

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
  onChange: (request: HttpRequest) => void;
  onSend: (request: HttpRequest) => void;
  children: ReactNode;
}

/** A request to an HTTP action. */
export function RequestForm({ route, isDisabled, isRunning, onChange, onSend, children }: RequestFormProps) {
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
  const request = useWatch({ control });
  useEffect(() => onChange({ method, path: pattern, contentType: "", body: "", ...request }));

  return (
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
      <div className="flex flex-wrap items-end gap-3">
        {children}
        <button type="submit" disabled={isDisabled} className="button button-primary">
          {isRunning ? (
            <LoaderCircle aria-hidden="true" className="size-4 motion-safe:animate-spin" />
          ) : (
            <Send aria-hidden="true" className="size-4" />
          )}
          Send
        </button>
      </div>
    </form>
  );
}

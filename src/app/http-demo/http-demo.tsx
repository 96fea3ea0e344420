"use client";

import { useMutation, useQuery } from "@tanstack/react-query";
import { ArrowUp, ImagePlus } from "lucide-react";
import { type FormEvent, type ReactNode, useId } from "react";
import { useAuthor } from "../chat/use-author";
import { type HttpApi, httpApi } from "./http-api";
import { SentMessages } from "./sent-messages";

interface HttpDemoProps {
  api: string;
  /** Stands above the messages, so that nothing moves when they arrive. */
  children: ReactNode;
}

/** Sends texts and pictures to the HTTP API, and shows its answers. */
export function HttpDemo({ api, children }: HttpDemoProps) {
  const http = httpApi(api);
  const id = useId();
  const { name: author } = useAuthor();
  const messages = useQuery({
    queryKey: ["http", api, author],
    queryFn: () => http.messagesBy(author),
    enabled: author !== "",
    meta: { isLive: true },
  });
  const send = useMutation({ mutationFn: (call: (http: HttpApi) => Promise<void>) => call(http) });
  const error = send.error ?? messages.error;

  function sendText(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const body = new FormData(event.currentTarget).get("body")?.toString().trim();
    if (body) send.mutate((http) => http.postMessage(author, body));
    event.currentTarget.reset();
  }

  return (
    <div className="column grid gap-5 py-6 sm:py-8">
      <div className="grid gap-1.5">
        <h1 className="font-semibold text-2xl tracking-tight">HTTP API</h1>
        <p className="max-w-prose text-pretty text-muted text-sm">
          What you send here goes to <code className="wrap-anywhere text-ink">{api}</code> as plain HTTP, from this page
          or any other whose origin <code className="text-ink">CLIENT_ORIGIN</code> names. It appears in the chat too.
        </p>
      </div>
      <form onSubmit={sendText} className="flex flex-wrap items-center gap-2">
        <label htmlFor={`${id}-picture`} className="button button-quiet cursor-pointer has-focus-visible:outline-2">
          <ImagePlus aria-hidden="true" className="size-4.5 text-muted" />
          Send a picture
          <input
            id={`${id}-picture`}
            type="file"
            accept="image/*"
            className="sr-only"
            onChange={({ currentTarget }) => {
              const [picture] = currentTarget.files ?? [];
              if (picture) send.mutate((http) => http.sendImage(author, picture));
              currentTarget.value = "";
            }}
          />
        </label>
        <div className="flex min-w-0 flex-1 basis-64 gap-2">
          <input
            name="body"
            required
            maxLength={1000}
            aria-label="Message"
            placeholder="Or a message"
            className="field min-w-0 flex-1"
          />
          <button
            type="submit"
            aria-label="Send message"
            title="Send message"
            className="icon-button bg-accent text-on-accent hover:bg-accent-hover hover:text-on-accent"
          >
            <ArrowUp aria-hidden="true" className="size-5" />
          </button>
        </div>
      </form>
      {error && (
        <p role="alert" className="max-w-prose text-danger text-sm">
          {error instanceof TypeError
            ? "The API cannot be reached, or does not allow this page's origin: CLIENT_ORIGIN has to name it."
            : error.message}
        </p>
      )}
      {children}
      <SentMessages author={author} messages={messages.data ?? []} imageUrl={http.imageUrl} />
    </div>
  );
}

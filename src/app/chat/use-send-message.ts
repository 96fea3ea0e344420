import { useMutation } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { useTRPC } from "~/components/api";
import { useArrivals } from "~/kit/client";
import type { Message } from "./message-list-query";
import type { Author } from "./use-author";

/** A text that is being sent. */
export interface OutgoingText {
  key: string;
  author: string;
  body: string;
  /** Milliseconds since the epoch. */
  at: number;
  /** Whether the server has not answered yet. */
  isPending: boolean;
  messageId: string | null;
}

interface SendMessageOptions {
  messages: readonly Message[];
  author: Author;
  /** Called with a text that could not be sent. */
  onFailed: (body: string) => void;
}

/** Sends texts. The list shows them at once, and removes those that could not be sent. */
export function useSendMessage({ messages, author, onFailed }: SendMessageOptions) {
  const trpc = useTRPC();
  const [texts, setTexts] = useState<readonly OutgoingText[]>([]);
  const arrived = useArrivals(messages.map(({ _id }) => _id));
  const count = useRef(0);
  const { mutate, error, isPending } = useMutation(
    trpc.messages.sendMessage.mutationOptions({
      // Sends one after the other, so that quick messages keep their order.
      scope: { id: "sendMessage" },
      onMutate({ author, body }) {
        count.current += 1;
        const key = `text ${count.current}`;
        setTexts((current) => [...current, { key, author, body, at: Date.now(), isPending: true, messageId: null }]);
        return key;
      },
      onSuccess: (messageId, _sent, key) =>
        setTexts((current) =>
          current.map((text) => (text.key === key ? { ...text, isPending: false, messageId } : text)),
        ),
      onError(_error, { body }, key) {
        setTexts((current) => current.filter((text) => text.key !== key));
        onFailed(body);
      },
    }),
  );
  return {
    texts: texts.filter(({ messageId }) => !(messageId && arrived.has(messageId))),
    send: (body: string) => mutate({ body, author: author.now() }),
    error,
    isPending,
  };
}

import Image from "next/image";
import type { SentMessage } from "./http-api";

interface SentMessagesProps {
  author: string;
  messages: readonly SentMessage[];
  imageUrl: (storageId: string) => string;
}

export function SentMessages({ author, messages, imageUrl }: SentMessagesProps) {
  if (messages.length === 0) return null;
  return (
    <ul aria-label={`Messages of ${author}`} className="grid gap-3">
      {messages.map(({ _id, format, body, storageId }) => (
        <li key={_id} className="wrap-anywhere text-sm">
          {format === "text" ? (
            body
          ) : storageId ? (
            <span className="picture-frame max-w-64">
              <Image fill src={imageUrl(storageId)} alt={`Image from ${author}`} className="object-cover" />
            </span>
          ) : (
            <span className="text-muted">This picture was deleted</span>
          )}
        </li>
      ))}
    </ul>
  );
}

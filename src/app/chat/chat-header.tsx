import { CloudOff } from "lucide-react";
import { SiteHeader } from "~/components/site-header";
import { AuthorName } from "./author-name";
import type { Author } from "./use-author";

interface ChatHeaderProps {
  author: Author;
  isReconnecting: boolean;
}

export function ChatHeader({ author, isReconnecting }: ChatHeaderProps) {
  return (
    <SiteHeader>
      <h1 className="sr-only">Chat</h1>
      <p role="status" className="flex flex-1 items-center gap-1.5 pl-2 text-muted text-sm">
        {isReconnecting && (
          <>
            <CloudOff aria-hidden="true" className="size-4 flex-none" />
            <span className="max-sm:sr-only">Reconnecting…</span>
          </>
        )}
      </p>
      {author.rename && <AuthorName author={author.name} onChange={author.rename} />}
    </SiteHeader>
  );
}

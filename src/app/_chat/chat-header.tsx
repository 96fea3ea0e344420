import { CloudOff, MessageSquareText } from "lucide-react";
import { AuthorName } from "./author-name";

interface ChatHeaderProps {
  author: string;
  onAuthorChange: (author: string) => void;
  isReconnecting: boolean;
}

export function ChatHeader({ author, onAuthorChange, isReconnecting }: ChatHeaderProps) {
  return (
    <header className="z-10 border-line border-b bg-surface px-page pt-[env(safe-area-inset-top)]">
      <div className="column flex h-14 items-center gap-4">
        <h1 className="flex items-center gap-2.5 font-semibold tracking-tight">
          <span className="grid size-8 place-items-center rounded-lg bg-accent text-on-accent">
            <MessageSquareText aria-hidden="true" className="size-4.5" />
          </span>
          Chat
        </h1>
        <p role="status" className="flex flex-1 items-center gap-1.5 text-muted text-sm">
          {isReconnecting && (
            <>
              <CloudOff aria-hidden="true" className="size-4" />
              Reconnecting…
            </>
          )}
        </p>
        <AuthorName author={author} onChange={onAuthorChange} />
      </div>
    </header>
  );
}

import { ArrowDown, MessagesSquare } from "lucide-react";
import { type RefObject, useRef, useState } from "react";
import { ImageUpload } from "~/components/image-upload";
import { Empty, Failed, Loading, MoreRows, type Upload } from "~/kit/client";
import { DeleteMessage } from "./delete-message";
import { EntryItem } from "./entry-item";
import { ImageMessage } from "./image-message";
import type { Message } from "./message-list-query";
import { startsRun } from "./runs";
import { awayFromLatest, useKeptPlace } from "./use-kept-place";
import type { Messages } from "./use-messages";
import type { OutgoingText } from "./use-send-message";

interface MessageListProps extends Messages {
  ref: RefObject<HTMLElement | null>;
  author: string;
  texts: readonly OutgoingText[];
  uploads: readonly Upload[];
  /** The uploads that are not in the list yet. */
  pending: readonly Upload[];
  /** The size of a picture in pixels, if it is known. */
  sizeOf: (upload: Upload) => { width: number; height: number } | undefined;
  onRetry: (id: number) => void;
  onRemove: (id: number) => void;
}

/** A message, or a text or picture that is being sent. */
interface Entry {
  key: string;
  author: string;
  /** Milliseconds since the epoch. */
  at: number;
  message?: Message;
  body?: string;
  isPending?: boolean;
  upload?: Upload;
}

// Users of a keyboard scroll the list by focusing it.
const scrollableByKeyboard = { tabIndex: 0 };

/**
 * The conversation, oldest first, followed by what the viewer is sending.
 *
 * `flex-col-reverse` puts the origin of the scroll position at the bottom. The newest message is in view from the first
 * paint and stays in view when others arrive. Older messages are added above without moving anything.
 */
export function MessageList({
  ref,
  author,
  messages,
  query,
  texts,
  uploads,
  pending,
  sizeOf,
  onRetry,
  onRemove,
}: MessageListProps) {
  const list = useRef<HTMLOListElement>(null);
  useKeptPlace(ref, list);
  // The pressed button disappears, and the focus would be lost with it.
  const focusList = () => ref.current?.focus({ preventScroll: true });
  const keepFocus = (action: (id: number) => void) => (id: number) => {
    action(id);
    focusList();
  };
  const newestId = messages.at(-1)?._id ?? "";
  const [newestWhenLeft, setNewestWhenLeft] = useState<string | null>(null);

  const previewOf = (storageId: string | null) =>
    uploads.find((upload) => storageId && upload.storageId === storageId)?.previewUrl ?? null;

  const entries: Entry[] = [
    ...messages.map((message) => ({ key: message._id, author: message.author, at: message._creationTime, message })),
    ...[...texts, ...pending.map((upload) => ({ key: `${upload.id}`, author, at: upload.addedAt, upload }))].sort(
      (one, other) => one.at - other.at,
    ),
  ];

  return (
    <div className="relative min-h-0 flex-1">
      <section
        {...scrollableByKeyboard}
        ref={ref}
        role="log"
        aria-label="Messages"
        // Screen readers announce messages that arrive, and not older ones that are loaded above.
        aria-live={newestWhenLeft === null ? "polite" : "off"}
        aria-relevant="additions"
        onScroll={({ currentTarget }) =>
          setNewestWhenLeft((current) => (awayFromLatest(currentTarget) ? (current ?? newestId) : null))
        }
        className="flex h-full flex-col-reverse overflow-y-auto overscroll-contain px-page [overflow-anchor:none] focus-visible:-outline-offset-2"
      >
        {entries.length === 0 ? (
          <MessageListState query={query} />
        ) : (
          <div className="column mb-auto flex-none pb-5">
            <MoreRows query={query} things="messages" scroller={ref}>
              This is where the conversation begins.
            </MoreRows>
            <ol ref={list} className="grid grid-cols-[repeat(auto-fill,min(16rem,100%))] items-end gap-x-2 pl-12">
              {entries.map((entry, index) => (
                <EntryItem
                  key={entry.key}
                  author={entry.author}
                  at={entry.at}
                  isFirstOfRun={startsRun(entry, entries[index - 1])}
                  isText={entry.body !== undefined || entry.message?.format === "text"}
                  isPending={entry.isPending ?? false}
                  action={entry.message?.isMine && <DeleteMessage message={entry.message} onClosed={focusList} />}
                >
                  {entry.upload ? (
                    <ImageUpload
                      upload={entry.upload}
                      size={sizeOf(entry.upload)}
                      onRetry={keepFocus(onRetry)}
                      onRemove={keepFocus(onRemove)}
                    />
                  ) : entry.message?.format === "image" ? (
                    <ImageMessage
                      key={entry.message.url}
                      message={entry.message}
                      isRecent={index >= entries.length - 9}
                      preview={previewOf(entry.message.storageId)}
                    />
                  ) : (
                    (entry.message?.body ?? entry.body)
                  )}
                </EntryItem>
              ))}
            </ol>
          </div>
        )}
      </section>
      <div role="status" className="absolute bottom-4 left-1/2 -translate-x-1/2">
        {newestWhenLeft !== null && (
          <button
            type="button"
            onClick={() => {
              ref.current?.scrollTo({ top: 0 });
              ref.current?.focus();
            }}
            className="flex h-11 items-center gap-2 rounded-full border border-line bg-surface px-4 font-medium text-sm shadow-raised hover:bg-sunken"
          >
            <ArrowDown aria-hidden="true" className="size-4" />
            {newestWhenLeft === newestId ? "Latest messages" : "New messages"}
          </button>
        )}
      </div>
    </div>
  );
}

/** Replaces the list when there are no messages to show. */
function MessageListState({ query }: Pick<Messages, "query">) {
  if (query.isPending) return <Loading>Loading messages…</Loading>;
  if (query.isError) {
    return <Failed title="The messages could not be loaded" error={query.error} onRetry={() => void query.refetch()} />;
  }
  return (
    <Empty icon={MessagesSquare} title="No messages yet">
      Write the first one, or drop a picture anywhere on this page.
    </Empty>
  );
}

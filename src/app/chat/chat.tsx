"use client";

import { ImageDown } from "lucide-react";
import { useRef, useState } from "react";
import { useTRPCClient } from "~/components/api";
import { measure } from "~/components/picture-shape";
import { DropHint, FailedUploads, useFileInput, useIsReconnecting, useUploads } from "~/kit/client";
import { ChatHeader } from "./chat-header";
import { Composer } from "./composer";
import { MessageList } from "./message-list";
import { useAuthor } from "./use-author";
import { useMessages } from "./use-messages";
import { usePastedFiles } from "./use-pasted-files";
import { useSendMessage } from "./use-send-message";

/** Types that are named one by one, so that phones convert their own formats when a picture is chosen. */
const shown = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"];

/** Formats of pictures that phones and cameras make, and that most browsers cannot show. */
const isUnshown = (type: string) => /^image\/(hei[cf](-sequence)?|tiff|jp2|vnd\.adobe\.photoshop)$/.test(type);

/** The chat: all messages and pictures, and those that are being sent. */
export function Chat() {
  const client = useTRPCClient();
  const author = useAuthor();
  const { messages, query } = useMessages();
  const scroller = useRef<HTMLElement>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const isReconnecting = useIsReconnecting();

  const [sizes] = useState(() => new WeakMap<File, { width: number; height: number }>());

  const { uploads, pending, add, retry, remove } = useUploads({
    generateUploadUrl: () => client.messages.generateUploadUrl.mutate({}),
    onUploaded: async ({ storageId, file }) => {
      await client.messages.sendImage.mutate({ storageId, author: author.now(), ...sizes.get(file) });
    },
    refuse: ({ type }) => {
      if (!type.startsWith("image/")) return "This is not a picture. Only pictures can be sent.";
      return isUnshown(type) ? `Browsers do not show ${type}. Send it as JPEG, PNG, WebP or AVIF.` : null;
    },
    shownIn: messages,
    // A chat does not need to know where its people take their pictures.
    stripMetadata: true,
  });

  const { texts, send, error, isPending } = useSendMessage({
    messages,
    author,
    // Put the text back into the field.
    onFailed: (body) => {
      if (field.current) field.current.value = [body, field.current.value].filter(Boolean).join("\n");
    },
  });

  // The newest message is at the origin of the scroll position, so new messages stay in view from now on.
  const showLatest = () => scroller.current?.scrollTo({ top: 0 });
  const sendFiles = async (files: File[]) => {
    showLatest();
    const measuring = files.map(async (file) => {
      const size = await measure(file);
      if (size) sizes.set(file, size);
    });
    // A picture has its place from the start.
    await Promise.all(measuring);
    add(files);
  };
  usePastedFiles(sendFiles);
  const { area, input, open, isDragging } = useFileInput(sendFiles);

  return (
    <div {...area} className="flex h-dvh flex-col">
      <ChatHeader author={author} isReconnecting={isReconnecting} />
      <main className="flex min-h-0 flex-1 flex-col">
        <MessageList
          ref={scroller}
          author={author.name}
          messages={messages}
          query={query}
          texts={texts}
          uploads={uploads}
          pending={pending}
          sizeOf={({ file }) => sizes.get(file)}
          onRetry={retry}
          onRemove={remove}
        />
        <div className="px-page">
          <div className="column">
            <FailedUploads uploads={pending} onRetry={retry} onRemove={remove} />
          </div>
        </div>
        <Composer
          field={field}
          onSend={(body) => {
            showLatest();
            send(body);
          }}
          isSending={isPending}
          error={error}
          onAttach={open}
          fileInput={<input {...input} accept={shown.join()} />}
        />
      </main>
      {isDragging && <DropHint icon={ImageDown}>Drop pictures to send them</DropHint>}
    </div>
  );
}

"use client";

import { ImageDown, ImagePlus, Images, Link2 } from "lucide-react";
import { useRef, useState } from "react";
import { useTRPCClient } from "~/components/api";
import { ImageUpload } from "~/components/image-upload";
import { PageHeader } from "~/components/page-header";
import { SiteHeader } from "~/components/site-header";
import { VisitorHint } from "~/components/visitor-hint";
import { DropHint, deferred, Empty, Failed, FailedUploads, Loading, useFileInput, useUploads } from "~/kit/client";
import { ImageGrid } from "./image-grid";
import { useImages } from "./use-images";

const TitlesDialog = deferred(() => import("./titles-dialog").then(({ TitlesDialog }) => TitlesDialog));
const UrlDialog = deferred(() => import("./url-dialog").then(({ UrlDialog }) => UrlDialog));

/** The types that `images.saveImage` accepts. */
const types = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"];
/** The size of the largest image, in bytes. */
const maxSize = 20 * 1024 * 1024;

/** The viewer's images: those that are saved, and those that are being uploaded. */
export function Gallery() {
  const client = useTRPCClient();
  const { viewer, images, query } = useImages();
  const [chosen, setChosen] = useState<readonly File[]>([]);
  const titles = useRef(new WeakMap<File, string>());
  const [isAsking, setAsking] = useState(false);
  const fromWeb = useRef<HTMLButtonElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const focusAbove = () => heading.current?.focus();

  const { pending, add, retry, remove } = useUploads({
    generateUploadUrl: () => client.images.generateUploadUrl.mutate(),
    onUploaded: async ({ storageId, file }) => {
      await client.images.saveImage.mutate({ storageId, title: titles.current.get(file) ?? file.name });
    },
    refuse: ({ type, size }) => {
      if (!types.includes(type)) return "Only JPEG, PNG, GIF, WebP and AVIF images can be shown here.";
      return size > maxSize ? "This image is larger than 20 MB. Choose a smaller one." : null;
    },
    shownIn: images,
  });
  const { area, input, open, isDragging } = useFileInput(setChosen);

  return (
    <div {...area} className="flex flex-1 flex-col">
      <SiteHeader />
      <main className="page">
        <PageHeader ref={heading} title="Gallery">
          <button
            ref={fromWeb}
            type="button"
            onClick={() => setAsking(true)}
            aria-haspopup="dialog"
            aria-label="Add from the web"
            className="button button-quiet max-sm:px-3.5"
          >
            <Link2 aria-hidden="true" className="size-4" />
            <span className="max-sm:hidden">From the web</span>
          </button>
          <button type="button" onClick={open} className="button button-primary">
            <ImagePlus aria-hidden="true" className="size-4" />
            Add images
          </button>
          <input {...input} accept={types.join()} />
        </PageHeader>
        {images.length > 0 && <VisitorHint things="images" />}
        <FailedUploads uploads={pending} onRetry={retry} onRemove={remove} />
        {images.length > 0 || pending.length > 0 ? (
          <ImageGrid images={images} query={query} focusAbove={focusAbove}>
            {pending.map((upload) => (
              <li key={upload.id}>
                <ImageUpload upload={upload} size={{ width: 1, height: 1 }} onRetry={retry} onRemove={remove} />
              </li>
            ))}
          </ImageGrid>
        ) : viewer && query.isPending ? (
          <Loading>Loading images…</Loading>
        ) : viewer && query.isError ? (
          <Failed title="The images could not be loaded" error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Empty icon={Images} title="No images yet">
            Drop some anywhere on this page, or fetch one from the web. Only you will see them.
          </Empty>
        )}
      </main>
      <UrlDialog isOpen={isAsking} onOpenChange={setAsking} onClosed={() => fromWeb.current?.focus()} />
      <TitlesDialog
        isOpen={chosen.length > 0}
        files={chosen}
        onCancel={() => setChosen([])}
        onAdd={(named) => {
          for (const { file, title } of named) titles.current.set(file, title);
          setChosen([]);
          add(chosen);
        }}
      />
      {isDragging && <DropHint icon={ImageDown}>Drop images to keep them here</DropHint>}
    </div>
  );
}

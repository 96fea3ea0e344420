"use client";

import { ImageDown, ImagePlus, Images, Link2 } from "lucide-react";
import { useRef, useState } from "react";
import { useDropzone } from "react-dropzone";
import { useTRPCClient } from "~/components/api";
import { ImageUpload } from "~/components/image-upload";
import { PageHeader } from "~/components/page-header";
import { SiteHeader } from "~/components/site-header";
import { VisitorHint } from "~/components/visitor-hint";
import { DropHint, Empty, Failed, FailedUploads, Loading, useUploads } from "~/kit/client";
import { ImageGrid } from "./image-grid";
import { TitlesDialog } from "./titles-dialog";
import { UrlDialog } from "./url-dialog";
import { useImages } from "./use-images";

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
  const dropzone = useDropzone({ onDrop: (files) => setChosen(files), noClick: true, noKeyboard: true });

  return (
    <div {...dropzone.getRootProps()} className="flex flex-1 flex-col">
      <SiteHeader />
      <main className="page">
        <PageHeader ref={heading} title="Gallery">
          <UrlDialog>
            <button type="button" aria-label="Add from the web" className="button button-quiet max-sm:px-3.5">
              <Link2 aria-hidden="true" className="size-4" />
              <span className="max-sm:hidden">From the web</span>
            </button>
          </UrlDialog>
          <button type="button" onClick={dropzone.open} className="button button-primary">
            <ImagePlus aria-hidden="true" className="size-4" />
            Add images
          </button>
          <input {...dropzone.getInputProps({ accept: types.join(), "aria-hidden": true })} />
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
      <TitlesDialog
        files={chosen}
        onCancel={() => setChosen([])}
        onAdd={(named) => {
          for (const { file, title } of named) titles.current.set(file, title);
          setChosen([]);
          add(chosen);
        }}
      />
      {dropzone.isDragActive && <DropHint icon={ImageDown}>Drop images to keep them here</DropHint>}
    </div>
  );
}

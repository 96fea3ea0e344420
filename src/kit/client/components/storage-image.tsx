"use client";

import { type CSSProperties, type ImgHTMLAttributes, useEffect, useRef, useState } from "react";
import { thumbHashToDataURL } from "thumbhash";
import { defaultImageWidths } from "../../storage/image-widths";

interface StorageImageProps extends Omit<ImgHTMLAttributes<HTMLImageElement>, "src" | "srcSet" | "width" | "height"> {
  /** What `ctx.storage.getImage` returns. */
  image: { url: string; width?: number; height?: number; thumbhash?: string };
  alt: string;
  /** How wide the page shows it, for example `"(min-width: 640px) 320px, 100vw"`. Default: the width of the screen. */
  sizes?: string;
  /** Asks for a new URL, for example `query.refetch`. Called once when an expiring URL has expired. */
  onExpired?: () => void;
  /** Shown when no image can be made of the file, for example a bitmap or a drawing: the file's own URL. */
  fallbackUrl?: string;
  /** Called when the image cannot be shown. */
  onBroken?: () => void;
}

/**
 * Shows an image of the storage. The browser loads the width that fits its screen. The place of the image is known before it
 * is loaded, so nothing moves, and a blurred placeholder fills it.
 *
 * @example
 * <StorageImage image={message.image} alt="A cat" sizes="320px" />
 */
export function StorageImage({
  image: { url, width, height, thumbhash },
  alt,
  sizes = "100vw",
  loading = "lazy",
  style,
  onExpired,
  fallbackUrl,
  onBroken,
  onLoad,
  ...rest
}: StorageImageProps) {
  const widths = widthsOf(url);
  const element = useRef<HTMLImageElement>(null);
  const [loaded, setLoaded] = useState<string | null>(null);
  const renewed = useRef(false);
  const [isFallback, setFallback] = useState(false);

  function fail() {
    if (onExpired && !renewed.current && isExpired(url)) {
      renewed.current = true;
      onExpired();
    } else if (fallbackUrl && !isFallback) setFallback(true);
    else onBroken?.();
  }
  const failed = useRef(fail);
  failed.current = fail;
  useEffect(() => {
    // The image may have loaded or failed before the page was hydrated.
    const { current } = element;
    if (current?.complete)
      current.decode().then(
        () => setLoaded(url),
        () => failed.current(),
      );
  }, [url]);

  const placeholder: CSSProperties | undefined =
    thumbhash && loaded !== url
      ? { backgroundImage: `url("${placeholderOf(thumbhash)}")`, backgroundSize: "100% 100%" }
      : undefined;
  return (
    // biome-ignore lint/performance/noImgElement: next/image cannot sign URLs
    <img
      {...rest}
      ref={element}
      src={isFallback ? fallbackUrl : withWidth(url, widths.find((each) => each >= defaultWidth) ?? widths.at(-1))}
      srcSet={isFallback ? undefined : srcSetOf(url, widths, width)}
      sizes={sizes}
      width={width}
      height={height}
      alt={alt}
      loading={loading}
      decoding="async"
      style={{ ...placeholder, ...style }}
      onLoad={(event) => {
        setLoaded(url);
        onLoad?.(event);
      }}
      onError={fail}
    />
  );
}

/** The width that browsers without `srcset` load, or the next larger one. */
const defaultWidth = 640;

/** All widths up to that of the image itself. */
function srcSetOf(url: string, all: readonly number[], width = Number.POSITIVE_INFINITY): string {
  const widths = all.filter((_, index) => index === 0 || (all[index - 1] ?? 0) < width);
  return widths.map((each) => `${withWidth(url, each)} ${Math.min(each, width)}w`).join(", ");
}

/** The widths that a URL of an image allows, the smallest first. */
function widthsOf(url: string): readonly number[] {
  const listed = /[?&]widths=([\d%C,]+)/.exec(url)?.[1];
  return listed ? decodeURIComponent(listed).split(",").map(Number) : defaultImageWidths;
}

/** The URL's signature does not cover the width. */
function withWidth(url: string, width = defaultWidth): string {
  return url.replace(/([?&]width=)\d+/, `$1${width}`);
}

const isExpired = (url: string) =>
  Number(/[?&]expires=(\d+)/.exec(url)?.[1] ?? Number.POSITIVE_INFINITY) * 1000 <= Date.now();

const placeholders = new Map<string, string>();

/** A PNG as a data URL. */
function placeholderOf(thumbhash: string): string {
  const known = placeholders.get(thumbhash);
  if (known) return known;
  const made = thumbHashToDataURL(Uint8Array.from(atob(thumbhash), (letter) => letter.charCodeAt(0)));
  if (placeholders.size > 1000) placeholders.clear();
  placeholders.set(thumbhash, made);
  return made;
}

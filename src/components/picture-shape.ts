interface Size {
  width?: number;
  height?: number;
}

const narrowest = 3 / 4;
const widest = 3 / 2;

/** The shape of a picture's frame: its own, unless it would be too high, too flat, or is not known. */
export const frameOf = ({ width, height }: Size): { aspectRatio?: number } =>
  width && height ? { aspectRatio: Math.min(widest, Math.max(narrowest, width / height)) } : {};

/** The size in which the browser shows a picture, or `undefined` when it cannot. */
export async function measure(file: File): Promise<{ width: number; height: number } | undefined> {
  const url = URL.createObjectURL(file);
  const image = new Image();
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
      image.src = url;
    });
    const { naturalWidth: width, naturalHeight: height } = image;
    return width > 0 && height > 0 ? { width, height } : undefined;
  } catch {
    return undefined;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/**
 * The widths in pixels in which `getUrl(id, { width })` makes images. A signed URL works for all of them, so that one URL gives
 * a whole `srcset`. Other widths are refused, so that nobody can have any number of images made. Browsers use this list too.
 */
export const imageWidths = [80, 160, 320, 480, 640, 960, 1280, 1920, 2560] as const;

export type ImageWidth = (typeof imageWidths)[number];

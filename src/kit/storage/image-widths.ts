/** The widths in pixels of images, unless `imageWidths` of `createKit` lists others. Browsers use this list too. */
export const defaultImageWidths: readonly number[] = [80, 160, 320, 480, 640, 960, 1280, 1920, 2560];

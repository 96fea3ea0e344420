const shortest = 250;
const longest = 10_000;

/**
 * Milliseconds to wait after so many failures before the one that has just been: none at first, then twice as long each
 * time, and by chance up to half less, so that processes which failed together do not try again together.
 */
export const backoff = (failures: number): number =>
  failures === 0 ? 0 : Math.min(longest, shortest * 2 ** failures) * (1 - Math.random() / 2);

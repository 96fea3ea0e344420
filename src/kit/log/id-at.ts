import { v7 } from "uuid";

const nothing = new Uint8Array(16);

/** The least id that a call of this time can have (RFC 9562 §5.7). Milliseconds since the epoch. */
export const idAt = (time: number): string => v7({ msecs: time, seq: 0, random: nothing });

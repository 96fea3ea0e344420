import { createClient } from "./client";
import type { Fleet } from "./fleet";
import type { Issuer } from "./issuer";
import { participant } from "./participant";
import { createRandom } from "./random";

/** A file whose upload was answered. */
export interface KnownFile {
  id: string;
  sha256: string;
  /** The path of the upload URL that made it. */
  uploadPath: string;
  /** Whether a row of `files` references it. */
  saved: boolean;
  /** `abandoned`: the file is unreferenced and old, so that any garbage collection may delete it. */
  fate: "kept" | "deleted" | "abandoned";
}

/** The answers that clients received from a fleet. */
export interface Crowd {
  readonly files: KnownFile[];
  /** Requests without an answer. Each was repeated. */
  unanswered: number;
  /** Answers of 500 and more, by code. Each was repeated. */
  readonly refusals: Record<string, number>;
  /** Events that must not happen. */
  readonly violations: string[];
}

/** Describes the crowd in one line. */
export function describeCrowd({ files, unanswered, refusals, violations }: Crowd): string {
  const count = (fate: KnownFile["fate"]) => files.filter((file) => file.fate === fate).length;
  const refused = Object.entries(refusals).map(([code, times]) => `, ${times} × ${code}`);
  const numbers = `${files.length} files answered (${count("deleted")} deleted, ${count("abandoned")} abandoned)`;
  return `${numbers}, ${unanswered} requests without an answer${refused.join("")}, ${violations.length} violations`;
}

export const createCrowd = (): Crowd => ({ files: [], unanswered: 0, refusals: {}, violations: [] });

interface Options {
  fleet: Pick<Fleet, "origin">;
  /** The issuer of the clients' tokens. */
  issuer: Issuer;
  seed: number;
  clients: number;
  /** One file of ten is up to this large, in bytes. */
  maxSize: number;
  /** Whether the servers have the functions of functions.ts; the app itself has not. */
  hasTestFunctions?: boolean;
  until(): boolean;
}

/** Clients upload, save, read and delete files at the same time, while garbage collection runs. */
export async function runCrowd(crowd: Crowd, { fleet, issuer, seed, clients, until, ...options }: Options) {
  const act = async (_: unknown, number: number) => {
    const { owner, token } = await issuer.introduce(`client ${number}`);
    const client = createClient(fleet, token);
    const next = participant({ crowd, random: createRandom(seed * 1000 + number), client, owner, ...options });
    while (!until()) await next();
  };
  await Promise.all(Array.from({ length: clients }, act));
}

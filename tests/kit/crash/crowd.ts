import { setTimeout as pause } from "node:timers/promises";
import { prisma } from "~/kit/database/database";
import { createFileUrl, createUploadUrl } from "~/kit/storage/tokens";
import { ageFiles, ageUploads, youth } from "./age";
import { type Answer, type Client, createClient } from "./client";
import { makeBody, sha256Of, slowly } from "./file-body";
import type { Fleet } from "./fleet";
import type { Issuer } from "./issuer";
import { createRandom, type Random } from "./random";

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

interface ParticipantOptions {
  crowd: Crowd;
  random: Random;
  client: Client;
  /** The owner of the files that it uploads. */
  owner: string;
  maxSize: number;
  hasTestFunctions?: boolean;
}

/** How often in a row a request may be refused before its client gives up. */
const patience = 1000;

/** One client of a crowd: each call does one thing, and notes what was answered. */
function participant({ crowd, random, client, owner, maxSize, hasTestFunctions = true }: ParticipantOptions) {
  const mine: KnownFile[] = [];

  /** Repeats a request until the answer is below 500. */
  async function insist<Body>(send: () => Promise<Answer<Body> | null>) {
    for (let sent = 1; sent <= patience; sent++) {
      const answer = await send();
      if (answer && answer.status < 500 && answer.code !== "CONFLICT") return { ...answer, isRepeat: sent > 1 };
      if (answer) crowd.refusals[answer.code] = (crowd.refusals[answer.code] ?? 0) + 1;
      else crowd.unanswered++;
      await pause(answer ? 100 : 2);
    }
    throw new Error(`Refused ${patience} times in a row: ${JSON.stringify(crowd.refusals)}`);
  }

  function note(what: string, { status, code }: Answer<unknown>, isRight: boolean): void {
    if (!isRight) crowd.violations.push(`${what}: answered ${status} ${code}`);
  }

  async function upload(): Promise<void> {
    const bytes = makeBody(random, maxSize);
    const uploadPath = createUploadUrl("", {}, owner);
    const sha256 = sha256Of(bytes);
    const headers = { Digest: `sha-256=${Buffer.from(sha256, "hex").toString("base64")}` };
    const isSlow = bytes.byteLength > 0 && random.chance(0.1);
    const answer = await insist(async () => {
      const started = performance.now();
      const body = isSlow ? slowly(bytes, random, random.chance(0.2)) : bytes;
      const answer = await client.post(uploadPath, body, headers);
      const isSwept = answer && answer.status >= 500 && performance.now() - started > youth;
      return isSwept ? { ...answer, code: "swept under way" } : answer;
    });
    // A used URL is right when an attempt before took effect, though its answer was lost.
    const isRight = answer.status === 200 || (answer.isRepeat && answer.code === "StorageTokenUsed");
    const id = answer.body.storageId;
    note("upload", answer, isRight && id !== undefined);
    if (!id) return;
    const file: KnownFile = { id, sha256, uploadPath, saved: false, fate: "kept" };
    mine.push(file);
    crowd.files.push(file);
  }

  async function read(file: KnownFile): Promise<void> {
    const answer = await insist(() => client.get(createFileUrl("", file.id)));
    const isWhole = answer.status === 200 && sha256Of(answer.body) === file.sha256;
    note(`read of a ${file.fate} file ${file.id}`, answer, file.fate === "kept" ? isWhole : answer.status === 404);
  }

  async function save(file: KnownFile): Promise<void> {
    const { id: storageId } = file;
    const answer = await insist(async () => {
      const answer = await client.call("files.saveFile", { storageId, name: "a" });
      // A second row for the file is refused: an attempt before took effect.
      const isSaved = answer?.status === 500 && (await prisma.file.count({ where: { storageId } }).catch(() => 0)) > 0;
      return isSaved ? { ...answer, status: 200 } : answer;
    });
    note("save", answer, answer.status === 200);
    file.saved = true;
  }

  async function remove(file: KnownFile): Promise<void> {
    const answer = await insist(() => client.call("files.delete", { storageId: file.id }));
    note("delete", answer, answer.status === 200 || (answer.isRepeat && answer.code === "NOT_FOUND"));
    file.fate = "deleted";
    await read(file);
  }

  async function removeInVain(file: KnownFile): Promise<void> {
    const answer = await insist(() => client.call("crash.deleteAndThrow", { storageId: file.id }));
    note("delete and throw", answer, answer.code === "BAD_REQUEST");
    await read(file);
  }

  async function abandon(file: KnownFile): Promise<void> {
    file.fate = "abandoned";
    await ageFiles([file.id]).catch(databaseMayBeDown);
  }

  async function sweep(): Promise<void> {
    await ageUploads().catch(databaseMayBeDown);
    if (hasTestFunctions) await client.call("crash.sweep", {});
  }

  return async () => {
    const kept = mine.filter(({ fate }) => fate === "kept");
    const file = kept[random.below(kept.length)];
    const dice = random.below(100);
    if (!file || dice < 60) return upload();
    if (dice < 62) return sweep();
    if (dice < 66) return read(file);
    if (dice < 72 && hasTestFunctions) return removeInVain(file);
    if (file.saved) return remove(file);
    return dice < 92 ? save(file) : abandon(file);
  };
}

const databaseMayBeDown = () => null;

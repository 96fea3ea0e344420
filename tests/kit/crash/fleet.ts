import { once } from "node:events";
import type { Random } from "./random";
import type { Launch, ServerProcess } from "./server-process";

/** A moment before or after a step that `interceptSteps` names, for example `after sql COMMIT`. */
export type CrashPoint = `${"before" | "after"} ${string}`;

interface Options {
  launch: Launch;
  size: number;
  random: Random;
  /** The steps at which servers die, one after the other. */
  points?: readonly CrashPoint[];
  /** How many requests a server lives for at most, when there are no more points. By default it keeps running. */
  lifetime?: number;
  /** How servers without a point are ended: killed at once, or asked to stop. */
  signals?: readonly [NodeJS.Signals, ...NodeJS.Signals[]];
  settings?: Record<string, string>;
}

/** Servers on one database and one folder. A server that dies is started again. */
export interface Fleet {
  /** The origin of one that is up; waits when none is. Throws when the fleet is stopped. */
  origin(): Promise<string>;
  /** How many were killed so far. */
  kills(): number;
  /** Points that no server came to, and servers that died by themselves. */
  readonly failures: string[];
  /** Stops killing servers. */
  spare(): void;
  /** Kills them all, at once. */
  stop(): Promise<void>;
}

/** Requests in which a server comes to the point where it dies. */
const patience = 500;

interface Life {
  server: ServerProcess;
  isArmed: boolean;
  requestsLeft: number;
  shoot(): void;
}

export function startFleet({
  launch,
  size,
  random,
  points = [],
  lifetime = Number.POSITIVE_INFINITY,
  signals = ["SIGKILL"],
  settings = {},
}: Options): Fleet {
  let aims = points.map((point) => ({ point, attempts: 0 }));
  const up = new Set<Life>();
  const failures: string[] = [];
  const awaiting: (() => void)[] = [];
  let kills = 0;
  let killing = true;
  let stopping = false;

  async function liveOnce(): Promise<void> {
    const aim = aims.shift();
    // Skips some occurrences of the step at the first attempt, so that the server dies in the middle of its work.
    const skip = aim?.attempts === 0 ? random.below(4) : 0;
    const server = await launch({ ...settings, ...(aim && { CRASH_AT: aim.point, CRASH_SKIP: `${skip}` }) });
    const exit = once(server.child, "exit");
    let isShot = false;
    const life: Life = {
      server,
      isArmed: aim !== undefined,
      requestsLeft: aim ? patience : 1 + random.below(lifetime),
      shoot() {
        up.delete(life);
        isShot = server.child.kill(aim || stopping ? "SIGKILL" : random.pick(signals));
      },
    };
    up.add(life);
    if (stopping || (life.isArmed && !killing)) life.shoot();
    else for (const resume of awaiting.splice(0)) resume();

    const [code, signal] = await exit;
    up.delete(life);
    if (signal !== "SIGKILL" && !isShot) failures.push(`A server exited with ${code ?? signal}: ${server.errors()}`);
    if (!killing) return;
    kills++;
    if (!aim || !isShot) return;
    if (++aim.attempts < 3) aims.push(aim);
    else failures.push(`No server came to the point ${JSON.stringify(aim.point)}`);
  }

  async function keepUp(): Promise<void> {
    while (!stopping) await liveOnce();
  }
  let lost = 0;
  const giveUp = (error: unknown) => {
    failures.push(`${error}`);
    lost++;
    for (const resume of awaiting.splice(0)) resume();
  };
  const slots = Array.from({ length: size }, () => keepUp().catch(giveUp));

  return {
    failures,
    kills: () => kills,
    async origin() {
      for (;;) {
        const [first, ...rest] = up;
        if (first) return requestFrom(random.pick([first, ...rest]));
        if (lost === size) throw new Error(`No server can be started any more: ${failures.join("\n")}`);
        if (stopping) throw new Error("The servers were stopped");
        await new Promise<void>((resolve) => awaiting.push(resolve));
      }
    },
    spare() {
      killing = false;
      aims = [];
      for (const life of up) if (life.isArmed) life.shoot();
    },
    async stop() {
      killing = false;
      stopping = true;
      for (const life of up) life.shoot();
      for (const resume of awaiting.splice(0)) resume();
      await Promise.all(slots);
    },
  };

  function requestFrom(life: Life): string {
    // A moment later, in the middle of that request or of another.
    if (--life.requestsLeft === 0) setTimeout(() => killing && life.shoot(), random.below(20));
    return life.server.origin;
  }
}

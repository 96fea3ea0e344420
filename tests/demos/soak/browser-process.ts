import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type CDPSession, chromium } from "@playwright/test";
import { z } from "zod";
import { findBrowsers } from "../../../scripts/browser.mjs";

/** A browser that can be killed and started again with the same profile. */
export async function startBrowser(profile: string) {
  const { HEADLESS_SHELL_PATH } = await findBrowsers();
  const args = [
    ...["--remote-debugging-port=0", `--user-data-dir=${profile}`, "--disable-background-networking", "--headless"],
    ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
  ];
  const child: ChildProcess = spawn(HEADLESS_SHELL_PATH, args, { stdio: ["ignore", "ignore", "pipe"], detached: true });
  let endpoint = "";
  if (!child.stderr) throw new Error("The browser has no output");
  for await (const line of createInterface(child.stderr)) {
    [, endpoint = ""] = /DevTools listening on (ws:\S+)/.exec(line) ?? [];
    if (endpoint) break;
  }
  child.stderr.resume();
  const browser = await chromium.connectOverCDP(endpoint);
  const [context] = browser.contexts();
  if (!context) throw new Error("The browser has no window");
  return {
    context,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null || !child.pid) return;
      const ended = once(child, "exit");
      // The program may be a script that starts the browser.
      process.kill(-child.pid, "SIGKILL");
      await ended;
    },
  };
}

const traced = z.object({
  name: z.string(),
  pid: z.number(),
  tid: z.number(),
  /** Microseconds of the processor. */
  tdur: z.number().default(0),
  args: z.object({ name: z.string().optional() }),
});

/**
 * Records the tasks of the main threads of pages. The returned function ends that, and returns how long the tasks took, in
 * milliseconds of the processor, longest first. The time in which other programs had the processor does not count.
 */
export async function recordTasks(session: CDPSession): Promise<() => Promise<number[]>> {
  const events: z.infer<typeof traced>[] = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...traced.array().parse(value)));
  await session.send("Tracing.start", { categories: "toplevel,__metadata", transferMode: "ReportEvents" });
  return async () => {
    const ended = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
    await session.send("Tracing.end");
    await ended;
    const isMain = ({ name, args }: z.infer<typeof traced>) => name === "thread_name" && args.name === "CrRendererMain";
    const mains = new Set(events.filter(isMain).map(({ pid, tid }) => `${pid} ${tid}`));
    const tasks = events.filter(({ name, pid, tid }) => name.endsWith("::RunTask") && mains.has(`${pid} ${tid}`));
    return tasks.map(({ tdur }) => Math.round(tdur / 1000)).sort((a, b) => b - a);
  };
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { chromium } from "@playwright/test";
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

// Loaded into the app with `--import`: SIGUSR2 starts a CPU profile, and the next one writes it to BENCH_PROFILE.
import { writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";

/** Microseconds between two samples. */
const interval = 200;

const session = new Session();
session.connect();
let isRunning = false;

process.on("SIGUSR2", async () => {
  if (isRunning) {
    const { profile } = await session.post("Profiler.stop");
    writeFileSync(process.env.BENCH_PROFILE ?? "", JSON.stringify(profile));
  } else {
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval });
    await session.post("Profiler.start");
  }
  isRunning = !isRunning;
});

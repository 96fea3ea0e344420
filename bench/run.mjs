import { writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { openBench } from "./bench.mjs";
import { account } from "./parts/account.mjs";
import { commits } from "./parts/commits.mjs";
import { dashboard } from "./parts/dashboard.mjs";
import { images } from "./parts/images.mjs";
import { chunks, download, ranges, upload } from "./parts/large.mjs";
import { live } from "./parts/live.mjs";
import { logging } from "./parts/logging.mjs";
import { memory } from "./parts/memory.mjs";
import { rows } from "./parts/rows.mjs";
import { scheduler } from "./parts/scheduler.mjs";
import { gets, list, uploads } from "./parts/small.mjs";
import { print } from "./report.mjs";
import { build } from "./servers.mjs";

// npm run bench [-- part…] [--no-build]
//
// Measures the app, started as `npm start` starts it, against bare handlers and nginx in turns; prints the figures and
// writes bench/results.json. Takes about 4 GiB of disk while it runs.

const parts = {
  download,
  ranges,
  upload,
  chunks,
  gets,
  uploads,
  list,
  rows,
  memory,
  scheduler,
  live,
  commits,
  account,
  logging,
  dashboard,
  images,
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { "no-build": { type: "boolean" } } });
const unknown = positionals.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(`There is no part ${unknown.join(", ")}; the parts are ${Object.keys(parts).join(", ")}`);
  process.exit(1);
}

if (!values["no-build"]) await build();
const bench = await openBench();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => bench.close().finally(() => process.exit(130)));
try {
  const results = [];
  for (const [name, measure] of Object.entries(parts)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    for (const result of await measure(bench)) {
      print(result);
      results.push(result);
    }
  }
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length };
  const path = new URL("results.json", import.meta.url);
  await writeFile(path, `${JSON.stringify({ measured: new Date(), machine, results }, null, 2)}\n`);
} finally {
  await bench.close();
}

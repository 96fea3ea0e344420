import { spawn } from "node:child_process";
import { once } from "node:events";
import { commandOf, ROOT } from "./checkout.mjs";
import { withDatabase } from "./development-database.mjs";

// npm run db:studio [-- --port 5555 --browser none]
//
// Opens Prisma Studio on the database the app uses.

/** @param {string} url */
async function studio(url) {
  const args = [commandOf("prisma"), "studio", ...process.argv.slice(2)];
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, DATABASE_URL: url },
  });
  const [code] = await once(child, "exit");
  process.exitCode = code ?? 1;
}

await withDatabase(studio).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});

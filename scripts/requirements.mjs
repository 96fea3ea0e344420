/**
 * Refuses to go on when another package manager runs this: the lock file is npm's, and others would install other versions.
 *
 * @param {string} [userAgent] as package managers name themselves to the scripts that they run
 */
export function refuseOtherThanNpm(userAgent = process.env.npm_config_user_agent ?? "npm") {
  const [name] = userAgent.split("/");
  if (name === "npm") return;
  console.error(`This project is run by npm, whose lock file it has, and not by ${name}. Run: npm run dev`);
  process.exit(1);
}

/**
 * Refuses to go on with a Node.js that is too old, before anything is installed that would fail in words of its own.
 *
 * @param {string} [version]
 */
export function refuseOldNode(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(
    `This project needs Node.js 20.19 or later, and this is ${version}. Install one from https://nodejs.org.`,
  );
  process.exit(1);
}

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

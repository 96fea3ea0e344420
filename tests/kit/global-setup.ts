/** Generates what the kit's tests import. */
export default async function setup() {
  await import("./test-app/generate.mjs");
}

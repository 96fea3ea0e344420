/** Calls of the app's functions, as curl makes them. */

/**
 * @param {number} port
 * @param {string} name
 * @param {object} [args]
 */
export async function mutate(port, name, args = {}) {
  return answer(
    name,
    await fetch(`http://127.0.0.1:${port}/api/trpc/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ json: args }),
    }),
  );
}

/**
 * @param {string} name
 * @param {object} [args]
 */
export function queryPath(name, args = {}) {
  return `/api/trpc/${name}?input=${encodeURIComponent(JSON.stringify({ json: args }))}`;
}

/**
 * Makes a visitor.
 *
 * @param {number} port
 * @returns {Promise<{ headers: { Cookie: string }, id: string }>} `headers` of their calls
 */
export async function signIn(port) {
  const response = await fetch(`http://127.0.0.1:${port}/api/auth/sign-in/anonymous`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
  });
  if (!response.ok) throw new Error(`Signing in answered ${response.status}: ${await response.text()}`);
  const Cookie = response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(";", 1)[0])
    .join("; ");
  return { headers: { Cookie }, id: (await response.json()).user.id };
}

/** @param {number} port */
export async function uploadPath(port) {
  const url = new URL(await mutate(port, "files.generateUploadUrl"));
  return url.pathname + url.search;
}

/**
 * Uploads a file of `size` bytes and returns its storage id.
 *
 * @param {import("./load.mjs").Load} load
 * @param {number} port
 * @param {number} size
 * @returns {Promise<string>}
 */
export async function uploadFile(load, port, size) {
  const headers = { "Content-Type": "image/png" };
  const { text } = await load.transfer({ port, method: "POST", path: await uploadPath(port), headers, size });
  const [, storageId] = /"storageId":"([^"]+)"/.exec(text) ?? [];
  if (!storageId) throw new Error(`The upload answered ${text}`);
  return storageId;
}

/**
 * The path that serves a stored file.
 *
 * @param {number} port
 * @param {string} storageId
 */
export async function filePath(port, storageId) {
  const name = "files.getUrl";
  const url = await answer(name, await fetch(`http://127.0.0.1:${port}${queryPath(name, { storageId })}`));
  return new URL(url).pathname;
}

/**
 * @param {string} name
 * @param {Response} response
 */
async function answer(name, response) {
  if (!response.ok) throw new Error(`${name} answered ${response.status}: ${await response.text()}`);
  return (await response.json()).result.data.json;
}

import { Agent as PlainAgent, request as plainRequest } from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import { type Finding, look, ok, problem, reasonOf, unknown, warning } from "./finding";

// Asks an app from outside, through its proxies. It uses no setting of the app, so it also runs on another machine.

const nginx = (...lines: string[]) =>
  `For nginx, in the server or location of the app:\n${lines.map((line) => `${line};`).join("\n")}`;

/** Looks at an app through its public origin. */
export async function examineProxy(url: string): Promise<Finding[]> {
  const { origin } = new URL(url);
  const reached = await look("Proxy: reach", () => reach(origin), {
    silent: `Does the name of ${origin} lead to the proxy, and does the proxy pass requests on?`,
    explain: (error) =>
      problem(
        `${origin} cannot be reached: ${reasonOf(error)}.`,
        "Correct APP_ORIGIN, its DNS entry, or the proxy's certificate.",
      ),
  });
  if (reached.state !== "ok") return [reached];
  return [
    reached,
    ...(await Promise.all([
      look("Proxy: https", () => examineHttps(origin)),
      look("Proxy: origin", () => compareOrigin(origin)),
      look("Proxy: uploads", () => examineUploads(origin)),
      look("Proxy: streams", () => examineStreams(origin)),
    ])),
  ];
}

async function reach(origin: string) {
  const answer = await fetch(`${origin}/api/health/live`);
  const body = await answer.json().catch(() => null);
  if (answer.ok && body?.process === "ok") return ok(`${origin} answers.`);
  return problem(
    `${origin}/api/health/live answers ${answer.status}, and not as this app does.`,
    "Let the proxy pass all paths on to the app.",
  );
}

const isLocal = (host: string) => /^(localhost|127\.|\[::1\]|.*\.(test|localhost)$)/.test(host);

async function examineHttps(origin: string) {
  const { protocol, hostname } = new URL(origin);
  if (protocol === "http:") {
    if (isLocal(hostname)) return ok("Plain HTTP, on this machine.");
    return problem(
      `${origin} is not encrypted. Browsers send sessions in plain text, and refuse the clipboard, hashing and service workers.`,
      `Get a certificate, for example with certbot --nginx -d ${hostname}, and set APP_ORIGIN=https://${hostname}`,
    );
  }
  const plain = await fetch(`http://${hostname}/api/health/live`, { redirect: "manual" }).catch(() => null);
  if (!plain || (plain.status >= 300 && plain.status < 400)) return ok("Everything is encrypted.");
  return warning(
    `http://${hostname} answers ${plain.status} instead of redirecting.`,
    nginx("return 301 https://$host$request_uri"),
  );
}

/** Compares the origin that the app writes into its URLs with the one that is asked. */
async function compareOrigin(origin: string) {
  const answer = await fetch(`${origin}/api/openapi.json`);
  const description: { servers?: { url?: string }[] } | null = await answer.json().catch(() => null);
  const own = description?.servers?.[0]?.url;
  if (own === undefined) return unknown(`${origin}/api/openapi.json does not say which origin the app has.`);
  if (own === origin) return ok(`The app has the origin ${own}.`);
  return problem(
    `The app has the origin ${own}, and is asked at ${origin}. Its links lead elsewhere.`,
    `APP_ORIGIN=${origin}`,
  );
}

/** Bytes that a large upload announces: more than proxies let through by default. Only the first are sent. */
const announcedBytes = [2 * 1024 ** 2, 20 * 1024 ** 2, 200 * 1024 ** 2, 2 * 1024 ** 3];
const answerMs = 2_000;

const sentBytes = 1024;

async function examineUploads(origin: string) {
  // Sends a whole body first, because the first request of a process takes longer.
  if ((await announce(origin, sentBytes)) === null) return unknown("The upload endpoint takes too long to answer.");
  const answers = await Promise.all(announcedBytes.map((size) => announce(origin, size)));
  const refused = announcedBytes.find((_, index) => answers[index] === 413);
  if (refused !== undefined) {
    return problem(
      `The proxy refuses bodies of ${refused / 1024 ** 2} MiB (status 413), so larger files cannot be uploaded.`,
      nginx(
        "client_max_body_size 0",
        "proxy_request_buffering off",
        "proxy_http_version 1.1",
        'proxy_set_header Connection ""',
      ),
    );
  }
  if (answers.some((answer) => answer === null)) {
    return warning(
      "The proxy keeps uploads until they are complete, so that they take disk there, their progress is wrong, and they cannot continue. " +
        "Or it closes its connections to the app after each request.",
      nginx("proxy_request_buffering off", "proxy_http_version 1.1", 'proxy_set_header Connection ""'),
    );
  }
  return ok("The proxy passes large uploads on at once.");
}

/**
 * Announces a body, and sends its first bytes. The app refuses the token at once.
 * @returns the status of the answer; `null` when there is none, because the proxy waits for the rest
 */
function announce(origin: string, size: number): Promise<number | null> {
  return new Promise((resolve) => {
    const isSecure = origin.startsWith("https:");
    const send = isSecure ? secureRequest : plainRequest;
    // With `Connection: close` the app reads the whole body before it answers.
    const agent = new (isSecure ? SecureAgent : PlainAgent)({ keepAlive: true });
    const sending = send(`${origin}/api/storage/upload?token=doctor`, {
      method: "POST",
      headers: { "Content-Length": size, "Content-Type": "application/octet-stream" },
      agent,
    });
    const end = (status: number | null) => {
      clearTimeout(timer);
      sending.destroy();
      agent.destroy();
      resolve(status);
    };
    const timer = setTimeout(() => end(null), answerMs);
    sending.on("response", ({ statusCode = 0 }) => end(statusCode)).on("error", () => end(0));
    sending.write("x".repeat(sentBytes));
  });
}

async function examineStreams(origin: string) {
  const fix = nginx("proxy_buffering off", "proxy_read_timeout 60s", "proxy_http_version 1.1", "gzip off");
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), answerMs);
  try {
    const answer = await fetch(`${origin}/api/trpc/_kit.changes`, { signal: end.signal });
    if (!answer.ok) return unknown(`The stream of changes answers ${answer.status}.`);
    const first = await answer.body?.getReader().read();
    if (first?.value) return ok("Streamed answers arrive at once.");
    return problem("The stream of changes ends at once.", fix);
  } catch (error) {
    if (!end.signal.aborted) throw error;
    return problem("The proxy buffers streamed answers, so pages do not learn of changes.", fix);
  } finally {
    clearTimeout(timer);
    end.abort();
  }
}

import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Pool } from "~/kit/database/connections";
import { withClient } from "../../../scripts/database.mjs";
import { startPostgres } from "../../../scripts/postgres.mjs";

const openssl = (folder: string, ...args: string[]) => spawnSync("openssl", args, { cwd: folder });
const hasOpenssl = !spawnSync("openssl", ["version"]).error;

// A PostgreSQL whose certificate is signed by a provider's own CA, which no machine trusts by default.
describe.runIf(hasOpenssl)("a database with a certificate of its provider's own", () => {
  let folder: string;
  let server: Awaited<ReturnType<typeof startPostgres>>;
  const urlOf = (query: string) => {
    const url = new URL(server.url);
    url.hostname = "localhost";
    url.search = query;
    return url.href;
  };
  const isEncrypted = (url: string) =>
    withClient(url, async (client) => {
      const { rows } = await client.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
      return rows[0].ssl;
    });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tls-"));
    await chmod(folder, 0o755);
    const key = ["-newkey", "rsa:2048", "-nodes"];
    openssl(
      folder,
      "req",
      "-x509",
      ...key,
      "-keyout",
      "ca.key",
      "-out",
      "ca.pem",
      "-subj",
      "/CN=Provider",
      "-days",
      "2",
    );
    openssl(folder, "req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost");
    await writeFile(join(folder, "names"), "subjectAltName=DNS:localhost");
    const signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"];
    openssl(folder, "x509", "-req", "-in", "server.csr", "-out", "server.pem", ...signing);
    await chmod(join(folder, "server.key"), 0o600);
    // When the tests run as root, PostgreSQL runs as another user.
    if (process.getuid?.() === 0) spawnSync("chown", ["postgres", join(folder, "server.key")]);
    server = await startPostgres({
      folder: join(folder, "postgres"),
      settings: { ssl: "on", ssl_cert_file: join(folder, "server.pem"), ssl_key_file: join(folder, "server.key") },
    });
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });

  test("is refused, with the three ways to go on", async () => {
    const ways = /sslrootcert=.*NODE_EXTRA_CA_CERTS.*sslmode=no-verify/;
    await expect(isEncrypted(urlOf("sslmode=verify-full"))).rejects.toThrow(ways);
    const log = vi.spyOn(console, "error").mockReturnValue();
    const pool = new Pool({ url: urlOf("sslmode=verify-full"), size: 1, statementTimeout: 5_000 });
    await expect(pool.sql("SELECT 1")).rejects.toThrow();
    expect(log.mock.calls.flat().join()).toMatch(ways);
    log.mockRestore();
  });

  test("is connected to by its CA's file, or without knowing to whom", async () => {
    expect(await isEncrypted(urlOf(`sslmode=verify-full&sslrootcert=${join(folder, "ca.pem")}`))).toBe(true);
    expect(await isEncrypted(urlOf("sslmode=no-verify"))).toBe(true);
    const url = urlOf(`sslmode=verify-full&sslrootcert=${join(folder, "ca.pem")}`);
    const pool = new Pool({ url, size: 1, statementTimeout: 5_000 });
    expect(await pool.sql("SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await pool.end();
  });
});

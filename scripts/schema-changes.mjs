import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { PrismaPg } from "@prisma/adapter-pg";
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from "@prisma/driver-adapter-utils";
import pg from "pg";
import { PRISMA_FOLDER, readSchema } from "./checkout.mjs";
import { withClient } from "./database.mjs";
import { applyMigrations, migratedSchema } from "./migrations.mjs";

const { CHAR, TEXT } = pg.types.builtins;

/**
 * The SQL that leads from the newest migration's schema to prisma/schema, or null when nothing has changed.
 *
 * @param {string} url of any database; only its version is looked at
 * @param {string} [folder]
 * @returns {Promise<string | null>}
 */
export async function pendingChanges(url, folder = PRISMA_FOLDER) {
  const path = migratedSchema(folder);
  const before = await readFile(path, "utf8").catch(() => null);
  const after = await readSchema(folder);
  if (before === after) return null;
  if (before === null) return diff(url, { tag: "empty" }, { path, content: after });
  return diff(url, { tag: "schemaDatamodel", files: [{ path, content: before }] }, { path, content: after });
}

/**
 * Finds where Prisma's own commands have already made a change of the schema.
 *
 * - `"nowhere"`: the change is new.
 * - `"database"`: the database has it but no migration makes it, which is what `prisma db push` does.
 * - `"migrations"`: a migration makes it, which is what `prisma migrate dev` does.
 * - `"elsewhere"`: the database differs from both in another way. `differences` is the SQL that would make it the schema.
 *
 * @param {string} url of the development database
 * @param {string} sql of the change
 * @param {string} [folder]
 * @returns {Promise<{ place: "nowhere" | "database" | "migrations" | "elsewhere", differences: string }>}
 */
export async function whereIsChange(url, sql, folder = PRISMA_FOLDER) {
  const differences = await differencesOf(url, folder);
  if (differences === sql) return { place: "nowhere", differences };
  const shadow = new URL(url);
  const name = `shadow_${randomUUID().replaceAll("-", "")}`;
  shadow.pathname = `/${name}`;
  await withClient(url, (client) => client.query(`CREATE DATABASE ${name}`));
  try {
    await applyMigrations(shadow.href, folder);
    if ((await differencesOf(shadow.href, folder)) === "") return { place: "migrations", differences };
    return { place: differences === "" ? "database" : "elsewhere", differences };
  } finally {
    await withClient(url, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
  }
}

/**
 * The SQL that leads from the database to prisma/schema.
 *
 * @param {string} url
 * @param {string} folder
 */
async function differencesOf(url, folder) {
  const file = { path: migratedSchema(folder), content: await readSchema(folder) };
  return (await diff(url, { tag: "schemaDatasource", files: [file], configDir: folder }, file)) ?? "";
}

/**
 * The lines of a migration that delete data.
 *
 * @param {string} sql
 */
export function dataLosses(sql) {
  return (sql.match(/^.*\bDROP (TABLE|COLUMN)\b.*$/gm) ?? []).map((line) => line.trim());
}

/**
 * Compares two schemas with the WebAssembly build of Prisma's schema engine, which the npm registry has. The `prisma`
 * command would download a native engine from elsewhere.
 *
 * @param {string} url
 * @param {import("@prisma/schema-engine-wasm").DiffTarget} from
 * @param {import("@prisma/schema-engine-wasm").SchemaContainer} to
 * @returns {Promise<string | null>} SQL, or null when there is no difference
 */
async function diff(url, from, to) {
  engineModule ??= loadEngine();
  const { SchemaEngine } = await engineModule;
  // Fails with a sentence that names the database, which the engine's own error does not.
  await withClient(url, async () => undefined);
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  try {
    const engine = await SchemaEngine.new({ datamodels: undefined }, () => undefined, catalogAdapter(pool));
    const { exitCode, stdout } = await engine.diff({
      from,
      to: { tag: "schemaDatamodel", files: [to] },
      script: true,
      exitCode: true,
      filters: { externalTables: [], externalEnums: [] },
    });
    return exitCode === 0 ? null : stdout;
  } finally {
    await pool.end();
  }
}

/**
 * The adapter through which the engine reads PostgreSQL's catalogs. Their columns of the type `"char"` are unknown to
 * Prisma's adapter, so it is told that they are text, and the engine is told that they are characters.
 *
 * @param {pg.Pool} pool
 */
function catalogAdapter(pool) {
  /** @type {number[]} */
  let characterColumns = [];
  const query = pool.query.bind(pool);
  Object.assign(pool, {
    query: async (/** @type {import("pg").QueryArrayConfig} */ config) => {
      const result = await query(config);
      characterColumns = [...result.fields.keys()].filter((index) => result.fields[index]?.dataTypeID === CHAR);
      for (const field of result.fields) if (field.dataTypeID === CHAR) field.dataTypeID = TEXT;
      return result;
    },
  });
  const adapter = new PrismaPg(pool);
  const connect = adapter.connect.bind(adapter);
  adapter.connect = async () => {
    const connection = await connect();
    const queryRaw = connection.queryRaw.bind(connection);
    connection.queryRaw = async (sql) => {
      const result = await queryRaw(sql);
      for (const index of characterColumns) result.columnTypes[index] = ColumnTypeEnum.Character;
      return result;
    };
    return connection;
  };
  return bindMigrationAwareSqlAdapterFactory(adapter);
}

/** @type {ReturnType<typeof loadEngine> | undefined} */
let engineModule;

/** Loads the engine by hand, because the package imports its .wasm file as a module, which Node.js cannot. */
async function loadEngine() {
  const bindings = await import("@prisma/schema-engine-wasm/schema_engine_bg");
  const path = createRequire(import.meta.url).resolve("@prisma/schema-engine-wasm/schema_engine_bg");
  const wasm = await readFile(path.replace(/\.js$/, ".wasm"));
  const { instance } = await WebAssembly.instantiate(wasm, { "./schema_engine_bg.js": bindings });
  bindings.__wbg_set_wasm(instance.exports);
  const start = instance.exports.__wbindgen_start;
  if (typeof start === "function") start();
  return bindings;
}

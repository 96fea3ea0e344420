import { defineConfig } from "prisma/config";

// `prisma generate` insists on a schema engine that it never runs, and would download one. Any program will do.
if (process.argv.includes("generate")) process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath;

// The same as `directUrl` in scripts/database.mjs.
const { DIRECT_DATABASE_URL, DATABASE_URL_UNPOOLED, POSTGRES_URL_NON_POOLING, DATABASE_URL } = process.env;
const url = DIRECT_DATABASE_URL || DATABASE_URL_UNPOOLED || POSTGRES_URL_NON_POOLING || DATABASE_URL;

export default defineConfig({
  schema: "prisma/schema",
  migrations: { path: "prisma/migrations" },
  datasource: { url },
});

import { expect, test } from "vitest";
import { pool } from "~/kit/database/database";

test("pool, a connection that the database ends while it is used, is replaced and does not end the process", async () => {
  const client = await pool.connect();
  const { rows } = await client.query("SELECT pg_backend_pid() AS pid");
  const ended = new Promise((resolve) => client.once("end", resolve));
  await pool.query("SELECT pg_terminate_backend($1)", [rows[0].pid]);
  await ended;
  client.release();
  expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
});

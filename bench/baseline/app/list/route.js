import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });

/** The SQL of `messages.list`, and its rows as JSON: the least that a list can do. */
export async function GET() {
  const { rows } = await pool.query(
    `SELECT "_id", "_creationTime", "author", "owner", "body", "format", "storageId" FROM "messages"
     ORDER BY "_id" DESC LIMIT 51`,
  );
  return Response.json({ page: rows.slice(0, 50).reverse() });
}

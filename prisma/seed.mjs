import { v7 } from "uuid";
import { withClient } from "../scripts/database.mjs";

const WELCOME = [
  ["Ada", "Welcome! This page, its messages and its pictures come from your own machine."],
  ["Grace", "Write something below, or drop a picture anywhere on the page."],
  ["Ada", "The functions behind it are in src/functions/messages.ts, the page itself in src/app."],
];

/**
 * Gives an empty messages table something to show.
 *
 * @param {string} url of the database
 */
export async function seed(url) {
  const ids = WELCOME.map(() => v7());
  const [authors, bodies] = [WELCOME.map(([author]) => author), WELCOME.map(([, body]) => body)];
  await withClient(url, (client) =>
    client.query(
      `INSERT INTO messages (_id, "_creationTime", author, body, format)
       SELECT id, now() + number * interval '1 ms', author, body, 'text'
       FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS welcome (id, author, body, number)
       WHERE NOT EXISTS (SELECT FROM messages)`,
      [ids, authors, bodies],
    ),
  );
}

// Clerk's webhooks into Postgres: `npm install pg`, then
// DATABASE_URL=postgres://webhooks@localhost/app MIRROR=app PORT=8787 node node.mjs
import { createServer } from "node:http";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const LARGEST = 1024 * 1024;

// What the database says about a delivery, as a status: what it refuses will never verify, the rest is to come again.
const STATUS = { 28000: 401, 22023: 400 };

async function receive(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > LARGEST) return [413, "too large"];
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks).toString("utf8");
  const header = (name) => request.headers[name] ?? "";
  const { rows } = await pool.query("SELECT clerk_fdw.receive_webhook($1, $2, $3, $4, $5) AS outcome", [
    process.env.MIRROR, body, header("svix-id"), header("svix-timestamp"), header("svix-signature"),
  ]);
  return [rows[0].outcome === "failed" ? 500 : 200, rows[0].outcome];
}

createServer(async (request, response) => {
  let [status, text] = [404, "not found"];
  if (request.method === "POST" && request.url === "/webhooks/clerk") {
    try {
      [status, text] = await receive(request);
    } catch (error) {
      console.error(error.message);
      [status, text] = [STATUS[error.code] ?? 500, "refused"];
    }
  }
  response.writeHead(status, { "content-type": "text/plain" }).end(text);
}).listen(Number(process.env.PORT ?? 8787), "127.0.0.1");

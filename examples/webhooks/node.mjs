// Clerk's webhooks into Postgres: `npm install pg`, then
// DATABASE_URL=postgres://webhooks@localhost/app MIRROR=app PORT=8787 node node.mjs
import { createServer } from "node:http";
import pg from "pg";

// For a role that may do nothing but execute clerk_fdw.receive_webhook.
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
// A connection that breaks while nobody uses it is replaced by the next delivery's.
pool.on("error", (error) => console.error(error.message));

// Clerk's bodies have a few thousand bytes; anybody's may have more.
const LARGEST = 1024 * 1024;

// What the function refuses is the delivery's fault; everything else is not.
const STATUS = { 28000: 401, 22023: 400, 54000: 413 };

// The body as it came, or null if it is too large: it is read no further then.
async function read(request) {
  if (Number(request.headers["content-length"]) > LARGEST) return null;
  const chunks = [];
  let length = 0;
  // The connection is still needed for the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += chunk.length;
    if (length > LARGEST) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function receive(request) {
  const body = await read(request);
  if (body === null) return [413, "too large"];
  const header = (name) => request.headers[name] ?? "";
  // Apart from the query: Postgres says 28000 to a role that may not connect as well.
  const client = await pool.connect().catch((error) => console.error(error.message));
  if (!client) return [503, "the database is not available"];
  try {
    const { rows } = await client.query("SELECT clerk_fdw.receive_webhook($1, $2, $3, $4, $5) AS outcome", [
      process.env.MIRROR, body, header("svix-id"), header("svix-timestamp"), header("svix-signature"),
    ]);
    return [rows[0].outcome === "failed" ? 500 : 200, rows[0].outcome];
  } catch (error) {
    console.error(error.message);
    return [STATUS[error.code] ?? 500, "refused"];
  } finally {
    client.release();
  }
}

createServer(async (request, response) => {
  const isDelivery = request.method === "POST" && request.url === "/webhooks/clerk";
  // Whoever hangs up in the middle of a body gets no answer.
  const [status, text] = isDelivery ? await receive(request).catch(() => [400, "broken off"]) : [404, "not found"];
  // Nothing of what is left of a body that is too large is read.
  const headers = { "content-type": "text/plain", ...(status === 413 && { connection: "close" }) };
  response.writeHead(status, headers).end(text);
}).listen(Number(process.env.PORT ?? 8787), "127.0.0.1");

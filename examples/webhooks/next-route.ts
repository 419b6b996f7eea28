// Clerk's webhooks into Postgres: app/api/webhooks/clerk/route.ts
import { Pool } from "pg";

export const runtime = "nodejs";

// For a role that may do nothing but execute clerk_fdw.receive_webhook.
const pool = new Pool({ connectionString: process.env.DATABASE_URL });
// A connection that breaks while nobody uses it is replaced by the next delivery's.
pool.on("error", (error) => console.error(error.message));

// Clerk's bodies have a few thousand bytes; anybody's may have more.
const LARGEST = 1024 * 1024;

// What the function refuses is the delivery's fault; everything else is not.
const STATUS: Record<string, number> = { "28000": 401, "22023": 400, "54000": 413 };

// The body as it came, or null if it is too large: it is read no further then.
async function read(request: Request): Promise<string | null> {
  if (Number(request.headers.get("content-length")) > LARGEST) return null;
  const decoder = new TextDecoder();
  const reader = request.body?.getReader();
  let [text, length] = ["", 0];
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > LARGEST) {
      await reader.cancel();
      return null;
    }
    text += decoder.decode(value, { stream: true });
  }
  return text + decoder.decode();
}

export async function POST(request: Request) {
  const body = await read(request);
  if (body === null) return new Response("too large", { status: 413 });
  const header = (name: string) => request.headers.get(name) ?? "";
  // Apart from the query: Postgres says 28000 to a role that may not connect as well.
  const client = await pool.connect().catch((error) => console.error(error.message));
  if (!client) return new Response("the database is not available", { status: 503 });
  try {
    const { rows } = await client.query("SELECT clerk_fdw.receive_webhook($1, $2, $3, $4, $5) AS outcome", [
      process.env.MIRROR, body, header("svix-id"), header("svix-timestamp"), header("svix-signature"),
    ]);
    return new Response(rows[0].outcome, { status: rows[0].outcome === "failed" ? 500 : 200 });
  } catch (error) {
    return new Response("refused", { status: STATUS[(error as { code?: string }).code ?? ""] ?? 500 });
  } finally {
    client.release();
  }
}

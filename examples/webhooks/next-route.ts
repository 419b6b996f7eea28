// Clerk's webhooks into Postgres: app/api/webhooks/clerk/route.ts
import { Pool } from "pg";

export const runtime = "nodejs";

const pool = new Pool({ connectionString: process.env.DATABASE_URL });

// What the database refuses will never verify; everything else is to come again.
const STATUS: Record<string, number> = { "28000": 401, "22023": 400 };

export async function POST(request: Request) {
  const body = await request.text();
  const header = (name: string) => request.headers.get(name) ?? "";
  try {
    const { rows } = await pool.query("SELECT clerk_fdw.receive_webhook($1, $2, $3, $4, $5) AS outcome", [
      process.env.MIRROR, body, header("svix-id"), header("svix-timestamp"), header("svix-signature"),
    ]);
    return new Response(rows[0].outcome, { status: rows[0].outcome === "failed" ? 500 : 200 });
  } catch (error) {
    return new Response("refused", { status: STATUS[(error as { code?: string }).code ?? ""] ?? 500 });
  }
}

// Clerk's webhooks into Postgres: supabase/functions/clerk/index.ts, deployed with --no-verify-jwt, because it is Clerk
// who calls, and the database that checks the signature.
import postgres from "npm:postgres@3";

const sql = postgres(Deno.env.get("SUPABASE_DB_URL")!, { prepare: false });
const mirror = Deno.env.get("MIRROR")!;

// What the database refuses will never verify; everything else is to come again.
const STATUS: Record<string, number> = { "28000": 401, "22023": 400 };

Deno.serve(async (request) => {
  const body = await request.text();
  const header = (name: string) => request.headers.get(name) ?? "";
  try {
    const [{ outcome }] = await sql`SELECT clerk_fdw.receive_webhook(${mirror}, ${body},
      ${header("svix-id")}, ${header("svix-timestamp")}, ${header("svix-signature")}) AS outcome`;
    return new Response(outcome, { status: outcome === "failed" ? 500 : 200 });
  } catch (error) {
    return new Response("refused", { status: STATUS[error.code] ?? 500 });
  }
});

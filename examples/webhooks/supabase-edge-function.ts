// Clerk's webhooks into Postgres: supabase/functions/clerk/index.ts, deployed with --no-verify-jwt, because it is Clerk
// who calls, and the database that checks the signature.
import postgres from "npm:postgres@3";

// For a role that may do nothing but execute clerk_fdw.receive_webhook, and not for the superuser of SUPABASE_DB_URL:
// supabase secrets set WEBHOOKS_DATABASE_URL=postgres://webhooks…
const sql = postgres(Deno.env.get("WEBHOOKS_DATABASE_URL")!, { prepare: false });
const mirror = Deno.env.get("MIRROR")!;

// Clerk's bodies have a few thousand bytes; anybody's may have more.
const LARGEST = 1024 * 1024;

// What the function refuses is the delivery's fault; everything else is not.
const STATUS: Record<string, number> = { "28000": 401, "22023": 400, "54000": 413 };

// The body as it came, or null if it is too large: it is read no further then.
async function read(request: Request): Promise<string | null> {
  if (Number(request.headers.get("content-length")) > LARGEST) return null;
  const decoder = new TextDecoder();
  let [text, length] = ["", 0];
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > LARGEST) return null;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

Deno.serve(async (request) => {
  const body = await read(request);
  if (body === null) return new Response("too large", { status: 413 });
  const header = (name: string) => request.headers.get(name) ?? "";
  // Apart from the query: Postgres says 28000 to a role that may not connect as well.
  const connection = await sql.reserve().catch((error) => console.error(error.message));
  if (!connection) return new Response("the database is not available", { status: 503 });
  try {
    const [{ outcome }] = await connection`SELECT clerk_fdw.receive_webhook(${mirror}, ${body},
      ${header("svix-id")}, ${header("svix-timestamp")}, ${header("svix-signature")}) AS outcome`;
    return new Response(outcome, { status: outcome === "failed" ? 500 : 200 });
  } catch (error) {
    return new Response("refused", { status: STATUS[(error as { code?: string }).code ?? ""] ?? 500 });
  } finally {
    connection.release();
  }
});

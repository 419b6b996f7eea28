// Sends each of the webhook examples what Clerk would, and holds their answers and the mirror against what is expected.
// Run by bin/check-examples, which provides the packages and the database.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { copyFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [examples, work] = process.argv.slice(2);
const require = createRequire(`${work}/package.json`);
const { build } = require("esbuild");
const pg = require("pg");
const key = Buffer.from("a secret that is none");
const database = new pg.Client({ connectionString: process.env.DATABASE_URL });
await database.connect();
await database.query(`CREATE EXTENSION clerk_fdw;
  CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw;
  SELECT clerk_fdw.create_mirror('clerk', schema => 'app');
  SELECT clerk_fdw.add_webhook_secret('app', 'whsec_${key.toString("base64")}')`);

// An example as a module that plain Node runs.
async function bundled(name, alias = {}) {
  const out = `${work}/${name}.mjs`;
  await build({
    entryPoints: [`${examples}/${name}.ts`], outfile: out, bundle: true, platform: "node", format: "esm", alias,
    external: ["pg", "postgres"], logLevel: "error",
  });
  return import(pathToFileURL(out));
}

// A handler of web requests behind a server of its own.
async function serve(handler) {
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const answer = await handler(new Request("http://localhost/", {
      method: "POST", headers: request.headers, body: Buffer.concat(chunks),
    }));
    response.writeHead(answer.status).end(await answer.text());
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return `http://127.0.0.1:${server.address().port}/`;
}

const starts = {
  async node() {
    copyFileSync(`${examples}/node.mjs`, `${work}/node.mjs`);
    const port = 20000 + (process.pid % 20000);
    const child = spawn(process.execPath, [`${work}/node.mjs`], { env: { ...process.env, PORT: port }, stdio: "inherit" });
    process.on("exit", () => child.kill());
    for (let tries = 0; tries < 100; tries++) {
      if (await fetch(`http://127.0.0.1:${port}/`).catch(() => null)) break;
      await new Promise((later) => setTimeout(later, 50));
    }
    return `http://127.0.0.1:${port}/webhooks/clerk`;
  },
  async next() {
    return serve((await bundled("next-route")).POST);
  },
  async supabase() {
    let handler;
    globalThis.Deno = { env: { get: (name) => process.env[name] }, serve: (given) => (handler = given) };
    await bundled("supabase-edge-function", { "npm:postgres@3": "postgres" });
    return serve(handler);
  },
};

let failed = 0;
for (const [name, start] of Object.entries(starts)) {
  const url = await start();
  const time = Math.floor(Date.now() / 1000);
  const body = JSON.stringify({
    type: "user.created", object: "event", timestamp: time * 1000,
    data: { id: `user_${name}`, object: "user", first_name: "Åda ☃", created_at: time * 1000, updated_at: time * 1000 },
  });
  const send = (changes = {}) => {
    const id = `msg_${name}`;
    const signature = createHmac("sha256", key).update(`${id}.${time}.${body}`).digest("base64");
    const headers = { "svix-id": id, "svix-timestamp": `${time}`, "svix-signature": `v1,${signature}`, ...changes };
    return fetch(url, { method: "POST", headers, body }).then(async (answer) => [answer.status, await answer.text()]);
  };
  const check = (what, [status, text], expected, word = text) => {
    const is = status === expected && text === word;
    failed += is ? 0 : 1;
    console.log(`${is ? "ok" : "not ok"} - ${name}: ${what}${is ? "" : `: ${status} ${text}`}`);
  };
  check("a forged delivery", await send({ "svix-signature": "v1,AAAA" }), 401);
  check("one without its id", await send({ "svix-id": "" }), 400);
  check("a delivery", await send(), 200, "applied");
  check("the same again", await send(), 200, "duplicate");
  const { rows } = await database.query("SELECT first_name FROM app.users WHERE user_id = $1", [`user_${name}`]);
  check("its row", [rows.length, rows[0]?.first_name], 1, "Åda ☃");
}
process.exit(failed ? 1 : 0);

// Sends each of the webhook examples what Clerk would, and holds their answers and the mirror against what is expected.
// Run by bin/check-examples, which provides the packages and the database.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { copyFileSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";

const [examples, work] = process.argv.slice(2);
const require = createRequire(`${work}/package.json`);
const { build } = require("esbuild");
const pg = require("pg");
const key = Buffer.from("a secret that is none");
const url = (role) => `postgres://${role}@127.0.0.1:${process.env.CLERK_FDW_EXAMPLES_PORT}/postgres`;
const database = new pg.Client({ connectionString: url("postgres") });
await database.connect();
await database.query(`CREATE EXTENSION clerk_fdw;
  CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw;
  SELECT clerk_fdw.create_mirror('clerk', schema => 'app');
  SELECT clerk_fdw.add_webhook_secret('app', 'whsec_${key.toString("base64")}');
  CREATE ROLE webhooks LOGIN;
  GRANT USAGE ON SCHEMA clerk_fdw TO webhooks;
  GRANT EXECUTE ON FUNCTION clerk_fdw.receive_webhook TO webhooks`);

// An example as a module that plain Node runs.
async function bundled(name, role, alias = {}) {
  const out = `${work}/${name}-${role}.mjs`;
  await build({
    entryPoints: [`${examples}/${name}.ts`], outfile: out, bundle: true, platform: "node", format: "esm", alias,
    external: ["pg", "postgres"], logLevel: "error",
  });
  return import(pathToFileURL(out));
}

// A handler of web requests behind a server of its own, which gives it each body as it comes.
async function serve(handler) {
  const server = createServer(async (request, response) => {
    const answer = await handler(new Request("http://localhost/", {
      method: "POST", headers: request.headers, body: Readable.toWeb(request), duplex: "half",
    }));
    if (answer.status === 413) response.setHeader("connection", "close");
    response.writeHead(answer.status).end(await answer.text());
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return `http://127.0.0.1:${server.address().port}/`;
}

// Each example as it connects with a role of the database's.
let ports = 20000 + (process.pid % 20000);
const starts = {
  async node(role) {
    copyFileSync(`${examples}/node.mjs`, `${work}/node.mjs`);
    const port = ports++;
    const env = { ...process.env, PORT: port, DATABASE_URL: url(role) };
    const child = spawn(process.execPath, [`${work}/node.mjs`], { env, stdio: "inherit" });
    process.on("exit", () => child.kill());
    for (let tries = 0; tries < 100; tries++) {
      if (await fetch(`http://127.0.0.1:${port}/`).catch(() => null)) break;
      await new Promise((later) => setTimeout(later, 50));
    }
    return `http://127.0.0.1:${port}/webhooks/clerk`;
  },
  async next(role) {
    process.env.DATABASE_URL = url(role);
    return serve((await bundled("next-route", role)).POST);
  },
  async supabase(role) {
    const environment = { MIRROR: process.env.MIRROR, WEBHOOKS_DATABASE_URL: url(role), SUPABASE_DB_URL: url("postgres") };
    let handler;
    globalThis.Deno = { env: { get: (name) => environment[name] }, serve: (given) => (handler = given) };
    await bundled("supabase-edge-function", role, { "npm:postgres@3": "postgres" });
    return serve(handler);
  },
};

// Sends a request whose body grows too large and never ends, or never begins where its length is given. Answers with the
// status, if there is one although the body has not ended. Whoever is still sending when the other side hangs up may miss
// its answer, and comes again.
const ENOUGH = 2 * 1024 * 1024;
const NO_ANSWER = "no answer";
async function endless(url, headers) {
  let answer;
  for (let tries = 0; tries < 20; tries++) {
    answer = await once(url, headers);
    if (typeof answer[0] === "number" || answer[0] === NO_ANSWER) break;
  }
  return answer;
}

function once(url, headers) {
  return new Promise((resolve) => {
    const request = httpRequest(url, { method: "POST", headers });
    const piece = Buffer.alloc(64 * 1024, " ");
    let sent = 0;
    let end = (status) => {
      end = () => {};
      clearTimeout(limit);
      request.destroy();
      resolve([status, "in time"]);
    };
    const limit = setTimeout(() => end(NO_ANSWER), 5000);
    request.on("response", (response) => end(response.statusCode));
    request.on("error", (error) => end(error.message));
    if ("content-length" in headers) return request.flushHeaders();
    const more = () => {
      for (let ready = true; ready && sent < ENOUGH; sent += piece.length) ready = request.write(piece);
    };
    request.on("drain", more);
    more();
  });
}

let failed = 0;
for (const [name, start] of Object.entries(starts)) {
  const url = await start("webhooks");
  const time = Math.floor(Date.now() / 1000);
  const body = JSON.stringify({
    type: "user.created", object: "event", timestamp: time * 1000,
    data: { id: `user_${name}`, object: "user", first_name: "Åda ☃", created_at: time * 1000, updated_at: time * 1000 },
  });
  const send = (changes = {}, to = url, sent = body) => {
    const id = `msg_${name}`;
    const signature = createHmac("sha256", key).update(`${id}.${time}.${body}`).digest("base64");
    const headers = { "svix-id": id, "svix-timestamp": `${time}`, "svix-signature": `v1,${signature}`, ...changes };
    return fetch(to, { method: "POST", headers, body: sent }).then(async (answer) => [answer.status, await answer.text()]);
  };
  const check = (what, [status, text], expected, word = text) => {
    const is = status === expected && text === word;
    failed += is ? 0 : 1;
    console.log(`${is ? "ok" : "not ok"} - ${name}: ${what}${is ? "" : `: ${status} ${text}`}`);
  };
  check("a forged delivery", await send({ "svix-signature": "v1,AAAA" }), 401);
  check("one without its id", await send({ "svix-id": "" }), 400);
  const largest = 1024 * 1024;
  check("one as large as may be, forged", await send({}, url, " ".repeat(largest)), 401);
  check("one that says it is too large", await endless(url, { "content-length": largest + 1 }), 413, "in time");
  check("one that is too large", await endless(url, {}), 413, "in time");
  check("one for a database that lets nobody in", await send({}, await start("nobody")), 503);
  check("a delivery", await send(), 200, "applied");
  check("the same again", await send(), 200, "duplicate");
  const { rows } = await database.query("SELECT first_name FROM app.users WHERE user_id = $1", [`user_${name}`]);
  check("its row", [rows.length, rows[0]?.first_name], 1, "Åda ☃");
}
process.exit(failed ? 1 : 0);

// Holds requests against an OpenAPI description. Run by bin/check-requests, which provides the validator.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [home, description, file] = process.argv.slice(2);
const require = createRequire(`${home}/package.json`);
const { OpenAPIBackend } = require("openapi-backend");

// What Clerk's servers have before the paths of the description.
const ROOT = "/v1";
const api = new OpenAPIBackend({
  definition: description,
  apiRoot: ROOT,
  // Clerk promises nothing about /users/.
  ignoreTrailingSlashes: false,
  // All that is wrong with a request, not what is found first.
  ajvOpts: { allErrors: true },
  // Without judging the description itself: it has faults by the letter, in places that no request here is about. And
  // only the operations that are asked for are compiled.
  quick: true,
});
await api.init();
// The router would list them anew for each request, which takes longer than judging it.
const operations = api.router.getOperations();
api.router.getOperations = () => operations;

// What is wrong with a request, each with the operation that it is about.
function objections({ method, target }) {
  // Whoever reads a URL takes out "." and ".." first, also where they are encoded.
  const { pathname, searchParams } = new URL(`http://clerk.invalid${target}`);
  const operation = api.router.matchOperation({ method, path: pathname, headers: {} });
  if (!operation) return [`${method} ${pathname}: Clerk has no such path, or no such method there`];
  const name = `${method} ${operation.path}`;
  const query = Object.fromEntries(
    [...new Set(searchParams.keys())].map((key) => {
      const values = searchParams.getAll(key);
      return [key, values.length > 1 ? values : values[0]];
    }),
  );
  // The OpenAPI specification leaves open what becomes of a parameter that is not described. Clerk ignores it, and
  // then answers with more than was asked for.
  const described = new Set(operation.parameters.filter((parameter) => parameter.in === "query").map(({ name }) => name));
  const unknown = Object.keys(query).filter((key) => !described.has(key));
  const request = { method, path: pathname, headers: {}, query };
  const errors = api.validator.validateRequest(request, operation).errors ?? [];
  return [
    ...unknown.map((key) => `${name}: there is no parameter ${key}`),
    ...errors
      .filter(({ keyword, instancePath }) => !(keyword === "additionalProperties" && instancePath === "/query"))
      .map(({ instancePath, message, params }) => `${name}: ${instancePath} ${message} ${JSON.stringify(params)}`),
  ];
}

// A judge who accepts these has no say about others. Each is wrong in one way, which the objection has to name.
const WRONG = [
  ["GET", "/v1/users?limit=10&nonsense=1", "no parameter nonsense"],
  ["GET", "/v1/users/count?limit=10", "no parameter limit"],
  ["GET", "/v1/users?limit=501", "/query/limit must be <= 500"],
  ["GET", "/v1/users?limit=0", "/query/limit must be >= 1"],
  ["GET", "/v1/users?limit=ten", "/query/limit must be integer"],
  ["GET", "/v1/users?limit=", "/query/limit must be integer"],
  ["GET", "/v1/users?limit=1&limit=2", "/query/limit must be integer"],
  ["GET", "/v1/users?created_at_after=1.5", "/query/created_at_after must be integer"],
  ["GET", "/v1/users/count?banned=maybe", "/query/banned must be boolean"],
  ["GET", "/v1/invitations?status=lost", "/query/status must be equal to one of the allowed values"],
  ["GET", "/v1/nonsense", "no such path"],
  ["GET", "/v1/users/user_1/nonsense", "no such path"],
  ["GET", "/v1/users/", "no such path"],
  ["GET", "/v1/users/%2E%2E", "no such path"],
  ["GET", "/users", "no such path"],
  ["DELETE", "/v1/users", "no such method"],
];
const unheard = WRONG.filter(([method, target, expected]) => {
  const found = objections({ method, target });
  return found.length !== 1 || !found[0].includes(expected);
});
if (unheard.length) {
  for (const [method, target, expected] of unheard) {
    const found = objections({ method, target });
    console.log(`not ok: of ${method} ${target} the check does not say just '${expected}', but ${JSON.stringify(found)}`);
  }
  process.exit(1);
}

const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
const distinct = new Set(lines);
const wrong = new Map();
for (const line of distinct) {
  const request = JSON.parse(line);
  for (const objection of objections(request)) {
    if (!wrong.has(objection)) wrong.set(objection, []);
    wrong.get(objection).push(`${request.method} ${request.target}`);
  }
}
for (const [objection, requests] of wrong) {
  console.log(`not ok: ${objection}`);
  for (const request of requests.slice(0, 3)) console.log(`    ${request.slice(0, 500)}`);
  if (requests.length > 3) console.log(`    and ${requests.length - 3} more`);
}
console.log(`judged ${distinct.size} distinct requests of ${lines.length}, objected to ${new Set([...wrong.values()].flat()).size}`);
// Without requests nothing was checked.
process.exit(wrong.size || !distinct.size ? 1 : 0);

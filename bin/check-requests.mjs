// Holds requests against an OpenAPI description. Run by bin/check-requests, which provides the validator.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [home, description, file] = process.argv.slice(2);
const require = createRequire(`${home}/package.json`);
const { OpenAPIBackend } = require("openapi-backend");

// What Clerk's servers have before the paths of the description.
const ROOT = "/v1";
// The formats that the description has for texts, as far as it takes to tell them from other texts.
const FORMATS = {
  "date-time": /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/,
  email: /^[^\s@]+@[^\s@]+\.[^\s@]+$/,
  uri: /^[A-Za-z][A-Za-z0-9+.-]*:\S+$/,
};
const api = new OpenAPIBackend({
  definition: description,
  apiRoot: ROOT,
  // Clerk promises nothing about /users/.
  ignoreTrailingSlashes: false,
  // All that is wrong with a request, not what is found first.
  ajvOpts: { allErrors: true },
  customizeAjv: (ajv) => {
    for (const [name, format] of Object.entries(FORMATS)) ajv.addFormat(name, format);
    return ajv;
  },
  // Without judging the description itself: it has faults by the letter, in places that no request here is about. And
  // only the operations that are asked for are compiled.
  quick: true,
});
await api.init();
// The router would list them anew for each request, which takes longer than judging it.
const operations = api.router.getOperations();
api.router.getOperations = () => operations;

// Puts schemas of OpenAPI 3.0 into the words of the validator. It knows `nullable` only beside a type, and then wants
// null among the values of an `enum`, too; where there is no type, null is as good as anything else. And it does not know
// that `exclusiveMinimum` may be a property of `minimum`.
function translate(schema, seen = new Set()) {
  if (schema === null || typeof schema !== "object" || seen.has(schema)) return;
  seen.add(schema);
  if (schema.nullable === true) {
    if (typeof schema.type !== "string") delete schema.nullable;
    if (Array.isArray(schema.enum) && !schema.enum.includes(null)) schema.enum.push(null);
  }
  for (const [bound, exclusive] of [["minimum", "exclusiveMinimum"], ["maximum", "exclusiveMaximum"]]) {
    if (schema[exclusive] === true) schema[exclusive] = schema[bound];
    if (schema[exclusive] === false) delete schema[exclusive];
  }
  for (const part of Object.values(schema)) translate(part, seen);
}
for (const { requestBody } of operations) translate(requestBody?.content);

// The fields of a value that its schema has not. Where it does not forbid others, Clerk ignores them, and so does not do
// what was asked for.
function unknownFields(schema, value, path) {
  if (value === null || typeof value !== "object" || !schema) return [];
  if (Array.isArray(value)) return value.flatMap((item) => unknownFields(schema.items, item, path));
  const known = schema.properties;
  if (!known) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    if (Object.hasOwn(known, name)) return unknownFields(known[name], inner, `${path}/${name}`);
    return schema.additionalProperties === undefined ? [`there is no field ${path}/${name}`] : [];
  });
}

// What is wrong with the body of a request, apart from what the validator finds, and what the validator is to judge.
function readBody({ requestBody }, body, type) {
  if (!requestBody) return { wrong: body === undefined ? [] : ["there is no body"] };
  const media = type?.split(";")[0].trim().toLowerCase();
  const schema = requestBody.content["application/json"]?.schema;
  if (body === undefined) {
    // Also where it may be left out, whoever does so leaves out the required fields.
    const lacks = !requestBody.required && schema?.required?.length;
    return { wrong: [], judged: lacks ? {} : undefined };
  }
  if (!Object.hasOwn(requestBody.content, media ?? "")) {
    return { wrong: [`a body may be ${Object.keys(requestBody.content)}, not ${media ?? "of no type"}`], isOver: true };
  }
  try {
    const judged = JSON.parse(body);
    return { wrong: unknownFields(schema, judged, ""), judged };
  } catch (error) {
    return { wrong: [`the body is not JSON: ${error.message}`], isOver: true };
  }
}

// What is wrong with a request, each with the operation that it is about.
function objections({ method, target, body, content_type: type }) {
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
  const { wrong, judged, isOver } = readBody(operation, body, type);
  const headers = judged === undefined ? {} : { "content-type": "application/json" };
  const request = { method, path: pathname, headers, query, body: judged };
  const errors = api.validator.validateRequest(request, operation).errors ?? [];
  // What was said already of the parameters, and of a body that the validator does not get to see.
  const isSaid = ({ keyword, instancePath }) =>
    (keyword === "additionalProperties" && instancePath === "/query") || (isOver && instancePath === "");
  return [
    ...unknown.map((key) => `${name}: there is no parameter ${key}`),
    ...wrong.map((what) => `${name}: ${what}`),
    ...errors
      .filter((error) => !isSaid(error))
      .map(({ instancePath, message, params }) => `${name}: ${instancePath} ${message} ${JSON.stringify(params)}`),
  ];
}

const JSON_TYPE = "application/json";

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
  ["GET", "/v1/users", "there is no body", "{}"],
  ["DELETE", "/v1/users", "no such method"],
  ["DELETE", "/v1/users/user_1", "there is no body", '{"user_id":"user_1"}'],
  ["DELETE", "/v1/users/user_1?force=true", "no parameter force"],
  ["DELETE", "/v1/billing/subscription_items/csubitem_1?end_now=soon", "/query/end_now must be boolean"],
  ["POST", "/v1/users", "must have required property 'requestBody'"],
  ["POST", "/v1/users", "not text/plain", "{}", "text/plain"],
  ["POST", "/v1/users", "not of no type", "{}", null],
  ["POST", "/v1/users", "is not JSON", '{"first_name":'],
  ["POST", "/v1/users", "/requestBody must be object", "[]"],
  ["POST", "/v1/users", "/requestBody must be object", "null"],
  ["POST", "/v1/users", "/requestBody/first_name must be string", '{"first_name":1}'],
  ["POST", "/v1/users", "/requestBody/email_address must be array", '{"email_address":null}'],
  ["POST", "/v1/users", "/requestBody/email_address/0 must be string", '{"email_address":[1]}'],
  ["POST", "/v1/users", "/requestBody/banned must be boolean", '{"banned":"true"}'],
  ["POST", "/v1/users", '"additionalProperty":"nickname"', '{"nickname":"Ada"}'],
  ["POST", "/v1/users", "/requestBody/password must be string", '{"password":0}'],
  ["POST", "/v1/users/user_1/ban", "there is no body", "{}"],
  ["POST", "/v1/invitations", "must have required property 'email_address'", "{}"],
  ["POST", "/v1/redirect_urls", "must have required property 'url'"],
  ["POST", "/v1/organizations", "there is no field /nonsense", '{"name":"A","nonsense":1}'],
  ["POST", "/v1/invitations", "/expires_in_days must be <= 365", '{"email_address":"a@b.c","expires_in_days":366}'],
  ["POST", "/v1/invitations/bulk", "/requestBody must NOT have fewer than 1 items", "[]"],
  ["POST", "/v1/invitations/bulk", "must have required property 'email_address'", "[{}]"],
  ["POST", "/v1/waitlist_entries/bulk", 'must match format "email"', '[{"email_address":"ada"}]'],
  ["POST", "/v1/m2m_tokens", "/seconds_until_expiration must be > 0", '{"seconds_until_expiration":0}'],
  ["POST", "/v1/api_keys", "/requestBody/subject must match pattern", '{"name":"Key","subject":"ada"}'],
  ["PUT", "/v1/users/user_1/email_address", "/identification_status must be equal", '{"email_address":"a@b.c","identification_status":"x"}'],
  ["PATCH", "/v1/users/user_1", '"additionalProperty":"public_metadata"', '{"public_metadata":{}}'],
  ["PATCH", "/v1/organizations/org_1/memberships/user_1", "must have required property 'role'", "{}"],
  ["PATCH", "/v1/enterprise_connections/entconn_1", '"additionalProperty":"idp"', '{"saml":{"idp":"a"}}'],
];

// And one who refuses these has none either.
const RIGHT = [
  ["GET", "/v1/users?limit=10&email_address=a%40b.c"],
  ["POST", "/v1/users", '{"first_name":null,"email_address":["a@b.c"],"password":"***","public_metadata":{"a":null}}'],
  ["POST", "/v1/users", "{}", "application/json; charset=utf-8"],
  ["POST", "/v1/users/user_1/ban"],
  ["POST", "/v1/api_keys", '{"name":"Key","subject":"user_2xhFjEI5X2qWRvtV13BzSj8H6Dk","claims":null,"description":null}'],
  ["POST", "/v1/billing/prices", '{"plan_id":"cplan_1","amount":null,"annual_monthly_amount":1200}'],
  ["POST", "/v1/waitlist_entries/bulk", '[{"email_address":"a@b.c","notify":null}]'],
  ["PATCH", "/v1/users/user_1/metadata"],
  ["PATCH", "/v1/instance", '{"preferred_sign_in_strategy_when_password_required":null,"allowed_origins":[]}'],
  ["PATCH", "/v1/role_sets/roleset_1", '{"type":null}'],
  ["PATCH", "/v1/enterprise_connections/entconn_1", '{"saml":null,"oidc":{"client_secret":"***"}}'],
  ["DELETE", "/v1/billing/subscription_items/csubitem_1?end_now=true"],
];

// A request with a body has the type that clients send, unless another one is named; null is none at all.
const request = (method, target, body, type = JSON_TYPE) => ({
  method,
  target,
  body,
  content_type: body === undefined ? undefined : (type ?? undefined),
});

let isFit = true;
for (const [method, target, expected, body, type] of WRONG) {
  const found = objections(request(method, target, body, type));
  if (found.length === 1 && found[0].includes(expected)) continue;
  isFit = false;
  const said = JSON.stringify(found);
  console.log(`not ok: of ${method} ${target} ${body ?? ""} the check does not say just '${expected}', but ${said}`);
}
for (const [method, target, body, type] of RIGHT) {
  const found = objections(request(method, target, body, type));
  if (!found.length) continue;
  isFit = false;
  console.log(`not ok: the check objects to ${method} ${target} ${body ?? ""}: ${JSON.stringify(found)}`);
}
if (!isFit) process.exit(1);

const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
const distinct = new Set(lines);
const wrong = new Map();
for (const line of distinct) {
  const request = JSON.parse(line);
  for (const objection of objections(request)) {
    if (!wrong.has(objection)) wrong.set(objection, []);
    wrong.get(objection).push(`${request.method} ${request.target} ${request.body ?? ""}`.trim());
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

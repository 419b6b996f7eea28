--
-- How Clerk's JSON becomes values of the declared types: what fits, what does not, and what is said then. Most of this
-- compares all users with the object itself, column attrs, which is exactly what Clerk sent.
--
\set url `echo "$CLERK_SIM_URL"`
SET timezone = 'Asia/Kathmandu';
SET datestyle = 'ISO, YMD';
SET extra_float_digits = 1;
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', api_key 'sk_test_simulator', rate_limit '100000');

-- Shows the error of a command, with any user's id as user_....
CREATE PROCEDURE pg_temp.try(command text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE command;
  RAISE NOTICE 'no error';
EXCEPTION WHEN OTHERS THEN
  RAISE NOTICE '%: %', sqlstate, regexp_replace(sqlerrm, 'user_\w{27}', 'user_...');
END $$;

--
-- Times, which are Unix milliseconds at Clerk
--
CREATE FOREIGN TABLE times (
  user_id text,
  created_at timestamptz,
  as_timestamp timestamp OPTIONS (path 'created_at'),
  as_date date OPTIONS (path 'created_at'),
  as_bigint bigint OPTIONS (path 'created_at'),
  as_numeric numeric OPTIONS (path 'created_at'),
  as_double double precision OPTIONS (path 'created_at'),
  as_text text OPTIONS (path 'created_at'),
  as_jsonb jsonb OPTIONS (path 'created_at'),
  to_the_second timestamptz(0) OPTIONS (path 'created_at'),
  to_a_tenth timestamp(1) OPTIONS (path 'created_at'),
  last_sign_in_at timestamptz,
  mfa_disabled_at date,
  attrs jsonb
) SERVER clerk OPTIONS (object 'users');

SELECT count(*) AS users,
       count(*) FILTER (WHERE as_bigint = (attrs->>'created_at')::bigint) AS bigint,
       count(*) FILTER (WHERE as_numeric = as_bigint AND as_double = as_bigint) AS numeric_and_double,
       count(*) FILTER (WHERE as_text = as_bigint::text AND as_jsonb = to_jsonb(as_bigint)) AS text_and_jsonb,
       count(*) FILTER (WHERE created_at = timestamptz 'epoch' + as_bigint * interval '1 ms') AS timestamptz,
       count(*) FILTER (WHERE as_timestamp = timestamp 'epoch' + as_bigint * interval '1 ms') AS timestamp,
       count(*) FILTER (WHERE as_date = as_timestamp::date) AS date,
       count(*) FILTER (WHERE to_the_second = created_at::timestamptz(0)) AS seconds,
       count(*) FILTER (WHERE to_a_tenth = as_timestamp::timestamp(1)) AS tenths,
       count(*) FILTER (WHERE to_the_second > created_at) > 0 AS some_are_rounded_up
  FROM times;
-- What is null at Clerk is NULL.
SELECT count(*) AS users, count(last_sign_in_at) AS sign_ins, count(attrs->>'last_sign_in_at') AS in_attrs, count(mfa_disabled_at) AS none FROM times;

--
-- Texts, truth values, numbers, arrays, JSON
--
CREATE FOREIGN TABLE others (
  user_id text,
  first_name varchar,
  username varchar(100),
  banned boolean,
  has_image boolean,
  banned_text text OPTIONS (path 'banned'),
  verification_attempts_remaining smallint,
  attempts_integer integer OPTIONS (path 'verification_attempts_remaining'),
  attempts_real real OPTIONS (path 'verification_attempts_remaining'),
  seats integer OPTIONS (path 'public_metadata.seats'),
  storage numeric(8, 2) OPTIONS (path 'public_metadata.limits.storage_gb'),
  storage_double double precision OPTIONS (path 'public_metadata.limits.storage_gb'),
  features text[] OPTIONS (path 'public_metadata.features'),
  features_jsonb jsonb OPTIONS (path 'public_metadata.features'),
  features_text text OPTIONS (path 'public_metadata.features'),
  public_metadata jsonb,
  metadata_json json OPTIONS (path 'public_metadata'),
  metadata_text text OPTIONS (path 'public_metadata'),
  unsafe_metadata json,
  locale name,
  attrs jsonb
) SERVER clerk OPTIONS (object 'users');

SELECT count(*) AS users,
       count(*) FILTER (WHERE first_name IS NOT DISTINCT FROM attrs->>'first_name' AND username IS NOT DISTINCT FROM attrs->>'username'
                          AND locale IS NOT DISTINCT FROM attrs->>'locale') AS texts,
       count(*) FILTER (WHERE banned = (attrs->>'banned')::boolean AND has_image = (attrs->>'has_image')::boolean AND banned_text = attrs->>'banned') AS booleans,
       count(*) FILTER (WHERE verification_attempts_remaining = (attrs->>'verification_attempts_remaining')::integer
                          AND attempts_integer = verification_attempts_remaining AND attempts_real = verification_attempts_remaining) AS integers,
       count(*) FILTER (WHERE storage IS NOT DISTINCT FROM (attrs#>>'{public_metadata,limits,storage_gb}')::numeric
                          AND storage_double IS NOT DISTINCT FROM storage::double precision) AS decimals,
       count(*) FILTER (WHERE public_metadata = attrs->'public_metadata' AND metadata_json::jsonb = public_metadata AND metadata_text::jsonb = public_metadata
                          AND unsafe_metadata::jsonb = attrs->'unsafe_metadata') AS json
  FROM others;
SELECT features, features_jsonb, features_text, count(*), count(*) FILTER (WHERE seats = (attrs#>>'{public_metadata,seats}')::integer) AS right_seats
  FROM others GROUP BY 1, 2, 3 ORDER BY 1;

-- A text array as it is in the catalogue.
CREATE FOREIGN TABLE memberships (role text, permissions text[], one_permission text OPTIONS (path 'permissions.0'), attrs jsonb)
  SERVER clerk OPTIONS (object 'organization_memberships');
SELECT role, permissions, count(*), count(*) FILTER (WHERE to_jsonb(permissions) = attrs->'permissions' AND one_permission = permissions[1]) AS right_ones
  FROM memberships GROUP BY 1, 2 ORDER BY role COLLATE "C";

--
-- The address that counts is the primary one, not the first
--
CREATE FOREIGN TABLE addresses (
  user_id text,
  id text,
  email text,
  first_email text OPTIONS (path 'email_addresses.0.email_address'),
  email_addresses jsonb,
  phone_number text,
  phone_numbers bigint,
  phone_as_numeric numeric OPTIONS (path 'phone_numbers.0.phone_number'),
  attrs jsonb
) SERVER clerk OPTIONS (object 'users');
-- A number's digits are those of the column phone_number alone: by a path the value is a text like any other.
CALL pg_temp.try('SELECT phone_as_numeric FROM addresses');
ALTER FOREIGN TABLE addresses DROP COLUMN phone_as_numeric;
SELECT count(*) AS users, count(email) AS with_email, count(*) FILTER (WHERE email <> first_email) AS other_than_the_first,
       count(*) FILTER (WHERE email IS DISTINCT FROM jsonb_path_query_first(attrs,
         '$.email_addresses[*] ? (@.id == $id).email_address', jsonb_build_object('id', attrs->'primary_email_address_id')) #>> '{}') AS wrong_emails,
       count(*) FILTER (WHERE email_addresses <> attrs->'email_addresses') AS wrong_arrays,
       count(phone_number) AS with_number,
       count(*) FILTER (WHERE phone_number IS DISTINCT FROM jsonb_path_query_first(attrs,
         '$.phone_numbers[*] ? (@.id == $id).phone_number', jsonb_build_object('id', attrs->'primary_phone_number_id')) #>> '{}') AS wrong_numbers,
       count(*) FILTER (WHERE phone_numbers::text IS DISTINCT FROM substr(phone_number, 2)) AS wrong_digits,
       count(*) FILTER (WHERE id IS DISTINCT FROM user_id) AS wrong_aliases
  FROM addresses;
-- phone_numbers is the array that Clerk sends where its type can hold one.
ALTER FOREIGN TABLE addresses ALTER COLUMN phone_numbers TYPE jsonb;
SELECT count(*) AS users, count(*) FILTER (WHERE phone_numbers = attrs->'phone_numbers') AS same,
       count(*) FILTER (WHERE jsonb_array_length(phone_numbers) > 0) AS with_number FROM addresses;
ALTER FOREIGN TABLE addresses ALTER COLUMN phone_numbers TYPE numeric(15);
SELECT count(*) FILTER (WHERE '+' || phone_numbers = phone_number) AS with_number FROM addresses;
-- As a number it has to fit.
ALTER FOREIGN TABLE addresses ALTER COLUMN phone_numbers TYPE integer;
CALL pg_temp.try('SELECT phone_numbers FROM addresses');

--
-- Every kind of JSON into every type. One user's metadata holds numbers of all sorts; the rest is the same for everyone.
--
CREATE FOREIGN TABLE unsafe (user_id text, unsafe_metadata json) SERVER clerk OPTIONS (object 'users');
SELECT user_id AS odd, unsafe_metadata FROM unsafe WHERE unsafe_metadata->>'money' IS NOT NULL ORDER BY user_id COLLATE "C" LIMIT 1 \gset
\echo :unsafe_metadata
CREATE TYPE mood AS ENUM ('user', 'admin');
CREATE DOMAIN small AS integer CHECK (VALUE < 10);
CREATE DOMAIN present AS text NOT NULL;

CREATE FUNCTION pg_temp.reads(type text, path text, user_id text, OUT value text, OUT problem text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE FOREIGN TABLE one (user_id text, value %s OPTIONS (path %L)) SERVER clerk OPTIONS (object ''users'')', type, path);
  EXECUTE 'SELECT coalesce(value::text, ''NULL'') FROM one WHERE user_id = $1' USING user_id INTO value;
  DROP FOREIGN TABLE one;
EXCEPTION WHEN OTHERS THEN
  value := '(' || sqlstate || ')';
  problem := replace(sqlerrm, user_id, 'user_...');
END $$;

CREATE TEMPORARY TABLE matrix AS
  SELECT type, kind, path, types.number AS type_number, kinds.number AS kind_number, (pg_temp.reads(type, path, :'odd')).*
  FROM unnest(ARRAY['smallint', 'integer', 'bigint', 'real', 'double precision', 'numeric', 'numeric(5,1)', 'timestamptz', 'timestamp', 'date',
                    'text', 'varchar', 'varchar(3)', 'char(6)', 'name', 'boolean', 'uuid', 'text[]', 'integer[]', 'jsonb', 'json',
                    'mood', 'small', 'present'])
         WITH ORDINALITY AS types (type, number),
       (VALUES (1, 'string', 'object'), (2, 'true/false', 'deprovisioned'), (3, 'absent', 'created_at.x'), (4, 'null', 'mfa_disabled_at'),
               (5, 'array', 'saml_accounts'), (6, 'object', 'unsafe_metadata'), (7, '19.90', 'unsafe_metadata.money'), (8, '-0.0', 'unsafe_metadata.zero'),
               (9, '2^53+1', 'unsafe_metadata.above 2^53'), (10, '30 digits', 'unsafe_metadata.big'), (11, '-0.00...', 'unsafe_metadata.small'))
         AS kinds (number, kind, path)
  ORDER BY type_number, kind_number;
-- The object was printed above; here its length will do.
UPDATE matrix SET value = 'object of ' || length(value) WHERE kind = 'object' AND problem IS NULL;
SELECT type, kind, value, kind_number FROM matrix WHERE kind_number <= 6 ORDER BY type_number, kind_number \crosstabview type kind value kind_number
SELECT type, kind, value, kind_number FROM matrix WHERE kind_number > 6 ORDER BY type_number, kind_number \crosstabview type kind value kind_number

-- What is said of those that do not fit: the object, its id, the column, its type, and what it was given.
SELECT min(told COLLATE "C") AS problem, count(*)
  FROM matrix, regexp_replace(problem, ': ".*"$', ': "..."') AS told WHERE problem IS NOT NULL
  GROUP BY substring(told FROM 'cannot take .*') ORDER BY 1;
SELECT count(*) AS misfits, count(*) FILTER (WHERE problem LIKE 'users user\_...: column "value" of type %') AS well_told FROM matrix WHERE problem IS NOT NULL;
-- The id is the right one: the error is raised for a user of whom it is true.
CREATE FOREIGN TABLE wrong (user_id text, username integer, attrs jsonb) SERVER clerk OPTIONS (object 'users');
DO $$
DECLARE
  id text;
BEGIN
  PERFORM username FROM wrong;
EXCEPTION WHEN fdw_invalid_data_type THEN
  id := substring(sqlerrm FROM 'user_\w{27}');
  RAISE NOTICE '%', replace(sqlerrm, id, 'user_...');
  ASSERT (SELECT jsonb_typeof(attrs->'username') = 'string' FROM wrong WHERE user_id = id);
END $$;
-- A column that does not fit is in nobody's way as long as no query reads it.
SELECT count(*), count(user_id) FROM wrong;
SELECT count(*) FROM wrong WHERE attrs->>'username' IS NULL AND user_id IS NOT NULL;

--
-- Domains: their conditions hold for every value, NULL included
--
CREATE DOMAIN email_address AS text CHECK (VALUE LIKE '%_@_%');
CREATE DOMAIN short AS varchar(10);
CREATE DOMAIN tiny AS small CHECK (VALUE >= 0);
CREATE DOMAIN second AS timestamptz(0);
CREATE DOMAIN cents AS numeric(8, 2);
CREATE FOREIGN TABLE domains (
  user_id text,
  email email_address,
  object short,
  lockout tiny OPTIONS (path 'create_organizations_limit'),
  attempts small OPTIONS (path 'verification_attempts_remaining'),
  image_url short,
  username present,
  created_at second,
  exactly timestamptz OPTIONS (path 'created_at'),
  storage cents OPTIONS (path 'public_metadata.limits.storage_gb')
) SERVER clerk OPTIONS (object 'users');
SELECT count(email) AS emails, count(DISTINCT object) AS objects, count(lockout) AS lockouts FROM domains;
-- What the type below a domain is limited to holds as well.
SELECT count(*) FILTER (WHERE created_at = exactly::timestamptz(0)) AS rounded, bool_and(scale(storage) = 2) AS two_digits FROM domains;
CALL pg_temp.try('SELECT attempts FROM domains');
CALL pg_temp.try('SELECT image_url FROM domains');
CALL pg_temp.try('SELECT username FROM domains');

-- NOT NULL on a foreign table is a promise to the planner; Postgres does not check it, as with any foreign table.
CREATE FOREIGN TABLE promises (user_id text NOT NULL, username text, CHECK (username <> '')) SERVER clerk OPTIONS (object 'users');
SELECT count(*), count(user_id) FROM promises;

-- Types with input functions of their own: an enum, a range, a composite type.
CREATE TYPE provider AS ENUM ('user');
CREATE TYPE pair AS (a integer, b text);
CREATE FOREIGN TABLE own_types (
  user_id text,
  object provider,
  composite pair OPTIONS (path 'object'),
  range int4range OPTIONS (path 'object')
) SERVER clerk OPTIONS (object 'users');
SELECT object, count(*) FROM own_types GROUP BY object;
CALL pg_temp.try('SELECT composite FROM own_types');
CALL pg_temp.try('SELECT range FROM own_types');

--
-- Paths
--
CREATE FOREIGN TABLE paths (
  user_id text,
  city text OPTIONS (path 'public_metadata.address.city'),
  feature text OPTIONS (path 'public_metadata.features.1'),
  third_feature text OPTIONS (path 'public_metadata.features.2'),
  of_a_text text OPTIONS (path 'object.length'),
  of_a_null text OPTIONS (path 'private_metadata.notes.x'),
  second_address jsonb OPTIONS (path 'email_addresses.1'),
  id text OPTIONS (path 'external_id'),
  email text OPTIONS (path 'username'),
  attrs text OPTIONS (path 'object'),
  everything jsonb OPTIONS (path 'attrs')
) SERVER clerk OPTIONS (object 'users');
SELECT count(*) AS users, count(city) AS cities, array_agg(DISTINCT feature) FILTER (WHERE feature IS NOT NULL) AS features, count(third_feature) AS third_features,
       count(of_a_text) AS of_a_text, count(of_a_null) AS of_a_null, count(everything) AS everything, array_agg(DISTINCT attrs) AS attrs
  FROM paths;
-- A path comes before what the column's name would mean.
SELECT count(*) AS users,
       count(*) FILTER (WHERE p.id IS NOT DISTINCT FROM a.attrs->>'external_id' AND p.email IS NOT DISTINCT FROM a.attrs->>'username') AS same,
       count(*) FILTER (WHERE p.second_address IS NOT DISTINCT FROM a.attrs#>'{email_addresses,1}') AS second_addresses
  FROM paths p JOIN addresses a USING (user_id);
-- It is no id then, either.
SELECT count(*) FROM paths WHERE id = :'odd';
EXPLAIN (COSTS OFF) SELECT user_id FROM paths WHERE id = 'user_1';

--
-- Columns that Clerk knows nothing of, that went, that came; whole rows
--
CREATE FOREIGN TABLE changing (nothing text, gone text, user_id text, "First_Name" text, first_name text, attrs jsonb)
  SERVER clerk OPTIONS (object 'users');
SELECT count(*), count(nothing) AS nothing, count("First_Name") AS capitals, count(first_name) > 0 AS some_names FROM changing;
ALTER FOREIGN TABLE changing DROP COLUMN gone;
ALTER FOREIGN TABLE changing ADD COLUMN created_at timestamptz, ADD COLUMN again boolean DEFAULT true;
ALTER FOREIGN TABLE changing DROP COLUMN nothing;
SELECT count(*) AS users, count(again) AS defaults,
       count(*) FILTER (WHERE (to_jsonb(c)->>'user_id', to_jsonb(c)->>'first_name') IS NOT DISTINCT FROM (attrs->>'id', attrs->>'first_name')) AS same,
       count(*) FILTER (WHERE c IS NOT NULL) AS complete, count(c) AS rows
  FROM changing c;
SELECT c.tableoid::regclass, c.user_id = attrs->>'id' AS same, (c).created_at = created_at AS same_time, row_to_json(c)::jsonb ?& '{user_id,First_Name,first_name,attrs,created_at,again}' AS columns
  FROM changing c WHERE user_id = :'odd';
-- A table without columns still has rows.
CREATE FOREIGN TABLE bare () SERVER clerk OPTIONS (object 'users');
SELECT count(*) FROM bare;
SELECT count(*) FROM (SELECT bare FROM bare) AS rows;

--
-- What people write into metadata: all of it can be read. Postgres stores no NUL and no half of a surrogate pair; those
-- become U+FFFD, and nothing else changes.
--
SELECT count(*) AS users, count(unsafe_metadata) AS metadata,
       count(*) FILTER (WHERE unsafe_metadata->>'note' = U&'before\FFFDafter') AS nul,
       count(*) FILTER (WHERE unsafe_metadata::jsonb ? U&'\FFFD') AS nul_as_a_name,
       count(*) FILTER (WHERE unsafe_metadata->>'half an emoji' = U&'\FFFD' AND unsafe_metadata->>'turned around' = U&'\FFFD\FFFD'
                          AND unsafe_metadata->>'lone' = '["\ufffd","\ufffd"]') AS halves,
       count(*) FILTER (WHERE unsafe_metadata->>'escaped' = U&'\+01F680 \00E9 "\\/' || E'\b\f\n\r\t' AND unsafe_metadata->>'rtl' = U&'\202Eabc') AS escapes,
       count(*) FILTER (WHERE length(unsafe_metadata::text) > 7800) AS long,
       count(*) FILTER (WHERE unsafe_metadata->'deep' IS NOT NULL AND unsafe_metadata#>>array_fill('0'::text, ARRAY[61]) IS NULL
                          AND unsafe_metadata->>'deep' = repeat('[', 60) || '1' || repeat(']', 60)) AS deep,
       count(*) FILTER (WHERE unsafe_metadata->>'' = 'an empty name' AND unsafe_metadata->>'a.b' = '1' AND unsafe_metadata->>U&'\043A\043B\044E\0447' = '3') AS names
  FROM others;
-- Names keep every script, every space, every quote.
SELECT count(*) FILTER (WHERE first_name = '') AS empty_names, count(*) FILTER (WHERE first_name LIKE ' %') AS padded,
       count(*) FILTER (WHERE first_name LIKE '%DROP TABLE%') AS injections, count(*) FILTER (WHERE octet_length(first_name) > length(first_name)) AS beyond_ascii
  FROM others;

SET client_min_messages = warning;
DROP EXTENSION clerk_fdw CASCADE;
DROP TYPE mood, provider, pair;
DROP DOMAIN tiny, small, present, email_address, short, second, cents;

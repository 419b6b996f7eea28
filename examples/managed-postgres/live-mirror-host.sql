-- On the mirror host: a role that may read the foreign tables of the schema clerk, and nothing else. A superuser runs this
-- with psql -v ON_ERROR_STOP=1 -f live-mirror-host.sql, with the role's password in CLERK_READER_PASSWORD and the key that
-- it is to ask Clerk with in CLERK_SECRET_KEY.
\getenv password CLERK_READER_PASSWORD
\getenv key CLERK_SECRET_KEY
\ir sql/unlogged.sql
SET password_encryption = 'scram-sha-256';

CREATE ROLE clerk_reader LOGIN PASSWORD :'password';
GRANT USAGE ON SCHEMA clerk TO clerk_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA clerk TO clerk_reader;
CREATE USER MAPPING FOR clerk_reader SERVER clerk OPTIONS (api_key :'key');

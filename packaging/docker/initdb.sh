#!/bin/bash
# Sets the new database of compose.yaml up: the extension, a server with the key, a mirror with its schedule, and the role
# that clerk-hook has, or else nothing. The secrets come from files and are in no command line and no log.
set -euo pipefail
secret() { tr -d '\r\n' <"${SECRETS:-/run/secrets}/$1"; }
export CLERK_SECRET_KEY CLERK_WEBHOOK_SECRET HOOK_PASSWORD
CLERK_SECRET_KEY=$(secret clerk_secret_key)
CLERK_WEBHOOK_SECRET=$(secret clerk_webhook_secret)
HOOK_PASSWORD=$(secret hook_password)

psql -X -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
-- A statement that fails would be logged, with its secret.
SET log_min_error_statement = panic;
SET log_statement = none;
\set VERBOSITY terse
\getenv key CLERK_SECRET_KEY
\getenv webhook_secret CLERK_WEBHOOK_SECRET
\getenv hook_password HOOK_PASSWORD
\getenv url CLERK_API_URL

BEGIN;
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw;
\if :{?url}
  ALTER SERVER clerk OPTIONS (ADD api_url :'url');
\endif
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key :'key');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;

SELECT clerk_fdw.create_mirror('clerk', schema => 'app');
SELECT clerk_fdw.add_webhook_secret('app', :'webhook_secret');
SELECT clerk_fdw.schedule_sync('app', '*/5 * * * *');

CREATE ROLE clerk_hook LOGIN PASSWORD :'hook_password';
GRANT USAGE ON SCHEMA clerk_fdw TO clerk_hook;
GRANT EXECUTE ON FUNCTION clerk_fdw.receive_webhook TO clerk_hook;
COMMIT;
SQL

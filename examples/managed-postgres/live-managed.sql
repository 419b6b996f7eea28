-- In the managed database: Clerk's tables, read live through the mirror host. Run this with psql -v ON_ERROR_STOP=1
-- -f live-managed.sql, with the mirror host in CLERK_MIRROR_HOST, CLERK_MIRROR_PORT and CLERK_MIRROR_DATABASE, and the
-- password of its role clerk_reader in CLERK_READER_PASSWORD.
\getenv host CLERK_MIRROR_HOST
\getenv port CLERK_MIRROR_PORT
\getenv database CLERK_MIRROR_DATABASE
\getenv password CLERK_READER_PASSWORD
\ir sql/unlogged.sql

CREATE EXTENSION IF NOT EXISTS postgres_fdw;
CREATE SERVER mirror_host FOREIGN DATA WRAPPER postgres_fdw
  OPTIONS (host :'host', port :'port', dbname :'database', sslmode 'require', channel_binding 'require', fetch_size '1000');
CREATE USER MAPPING FOR CURRENT_USER SERVER mirror_host OPTIONS (user 'clerk_reader', password :'password');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER mirror_host INTO clerk;

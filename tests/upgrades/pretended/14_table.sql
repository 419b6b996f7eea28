CREATE TABLE clerk_fdw_internal.pretended (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what pg_catalog.text UNIQUE);

-- The view of the budgets that requests to Clerk count against: see docs/guide/pools.md.

CREATE FUNCTION clerk_fdw.budgets() RETURNS TABLE (
  host pg_catalog.text, instance pg_catalog.text, rate_limit integer, used integer, held_for double precision,
  waiting integer, refused bigint, shared boolean
) LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'budgets_wrapper';
COMMENT ON FUNCTION clerk_fdw.budgets() IS
'What the view clerk_fdw.budget shows. Readers of the view need EXECUTE on this function.

host: The host of the server''s api_url.
instance: The kind of the key, and eight digits that tell keys apart.
rate_limit: The rate_limit of the server that was last used with the key.
used: How many requests count against rate_limit.
held_for: For how many seconds requests are held back after a 429; null if they are not.
waiting: How many requests wait to be started.
refused: How many requests Clerk has answered with 429.
shared: Whether all backends count together.';

CREATE VIEW clerk_fdw.budget WITH (security_barrier) AS
  SELECT b.host, b.instance, b.rate_limit, b.used,
         pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => b.held_for) AS held_until,
         b.waiting, b.refused, b.shared
    FROM clerk_fdw.budgets() b;
COMMENT ON VIEW clerk_fdw.budget IS
  'The requests to each Clerk instance that was used lately, by any database: how many count against the rate limit, and how many wait.';
COMMENT ON COLUMN clerk_fdw.budget.host IS 'the host of the server''s api_url, with its port if that is not the usual one';
COMMENT ON COLUMN clerk_fdw.budget.instance IS
  'the kind of the key (live, test or other), and eight digits that tell keys apart; they say nothing about the key, and change when Postgres is restarted';
COMMENT ON COLUMN clerk_fdw.budget.rate_limit IS 'the rate_limit of the server that was last used with the key';
COMMENT ON COLUMN clerk_fdw.budget.used IS 'how many requests count against rate_limit: those that were on their way in the last ten seconds';
COMMENT ON COLUMN clerk_fdw.budget.held_until IS 'when requests start again, if Clerk has asked for a pause with a 429';
COMMENT ON COLUMN clerk_fdw.budget.waiting IS 'how many requests wait to be started';
COMMENT ON COLUMN clerk_fdw.budget.refused IS 'how many requests Clerk has answered with 429 since the instance was first used';
COMMENT ON COLUMN clerk_fdw.budget.shared IS
  'whether all backends count together; else this is what the current backend has counted';

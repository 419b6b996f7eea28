-- At first remembers the rows of the extension's tables that a dump would have, in the table public.remembered. When that
-- is there, fails unless all these rows still are: with more columns perhaps, but the same values in the old ones.
SET client_min_messages = warning;
DO $$
DECLARE
  is_first boolean := to_regclass('public.remembered') IS NULL;
  configured regclass;
  lost text;
BEGIN
  IF is_first THEN CREATE TABLE public.remembered (relation text, row_value jsonb); END IF;
  FOR configured IN SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'clerk_fdw' LOOP
    IF is_first THEN
      -- A sequence has a row as well, of which log_cnt is about the WAL. A restore gives other oids.
      EXECUTE format('INSERT INTO public.remembered
        SELECT %L, to_jsonb(t) - ''{log_cnt,server,owner}''::text[] FROM (SELECT * FROM %s) t', configured, configured);
    ELSE
      EXECUTE format('SELECT r.row_value FROM public.remembered r
        WHERE r.relation = %L AND NOT EXISTS (SELECT FROM (SELECT * FROM %s) t WHERE to_jsonb(t) @> r.row_value)',
        configured, configured) INTO lost;
      IF lost IS NOT NULL THEN RAISE EXCEPTION '% has not kept %', configured, lost; END IF;
    END IF;
  END LOOP;
  IF (SELECT count(*) FROM public.remembered) < 30 THEN RAISE EXCEPTION 'there is next to nothing to compare'; END IF;
END $$;

SELECT format('mirror %s: %s tables, last synced %s ago', :'mirror', count(*),
              coalesce(date_trunc('second', max(lag))::text, 'never'))
  FROM clerk_fdw.mirror_status WHERE mirror = :'mirror';

SELECT format('slot %s: %s, %s bytes behind (%s s), keeps %s of WAL%s', slot_name,
              CASE WHEN active THEN 'active' ELSE 'inactive' END, behind,
              CASE WHEN behind = 0 THEN 0
                   ELSE round(extract(epoch FROM coalesce(r.replay_lag, now() - r.reply_time)), 1) END,
              pg_size_pretty(kept), ' of at most ' || pg_size_pretty(kept + safe_wal_size))
  FROM (SELECT *, greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0) AS behind,
               pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) AS kept FROM pg_replication_slots) s
  LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid
 WHERE slot_name = :'name';

SELECT format('PROBLEM: the mirror host has no slot %s: run this script without --status', :'name')
 WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = :'name');
SELECT CASE WHEN wal_status = 'lost'
            THEN 'PROBLEM: the slot has lost WAL that was not replicated (max_slot_wal_keep_size): '
                 'run this script without --status, which copies everything anew'
            ELSE 'PROBLEM: the managed database is not connected' END
  FROM pg_replication_slots WHERE slot_name = :'name' AND (wal_status = 'lost' OR NOT active);

WITH wanted AS (
  SELECT to_regclass(format('%I.%I', t.schema, t.name)) AS relation, x.name
    FROM jsonb_to_recordset(current_setting('clerk.tables')::jsonb) AS t(schema text, name text, columns jsonb)
   CROSS JOIN LATERAL jsonb_to_recordset(t.columns) AS x(name text)),
published AS (
  SELECT r.prrelid, r.prattrs FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid AND p.pubname = :'name')
SELECT DISTINCT format('PROBLEM: drift: the %s of the mirror is not replicated: run --refresh',
                       CASE WHEN r.prrelid IS NULL THEN format('table %s', w.relation)
                            ELSE format('column %s.%I', w.relation, w.name) END)
  FROM wanted w LEFT JOIN published r ON r.prrelid = w.relation
  LEFT JOIN pg_attribute a ON a.attrelid = w.relation AND a.attname = w.name
 WHERE r.prrelid IS NULL OR NOT a.attnum = ANY (r.prattrs::int2[])
 ORDER BY 1;

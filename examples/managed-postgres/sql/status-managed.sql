SELECT format('subscription %s: %s, %s, %s errors applying changes, %s copying tables%s', s.subname,
              CASE WHEN s.subenabled THEN 'enabled' ELSE 'disabled' END,
              CASE WHEN w.pid IS NULL THEN 'no worker' ELSE 'a worker runs' END, e.apply_error_count, e.sync_error_count,
              ', last message ' || round(extract(epoch FROM now() - w.last_msg_receipt_time)) || ' s ago')
  FROM pg_subscription s LEFT JOIN pg_stat_subscription w ON w.subid = s.oid AND w.relid IS NULL
  LEFT JOIN pg_stat_subscription_stats e ON e.subid = s.oid
 WHERE s.subname = :'name';

SELECT format('table %s: %s', r.srrelid::regclass,
              CASE r.srsubstate WHEN 'i' THEN 'waits to be copied' WHEN 'd' THEN 'is being copied'
                                WHEN 'f' THEN 'is copied' WHEN 's' THEN 'catches up' ELSE 'replicated' END)
  FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
 WHERE s.subname = :'name' ORDER BY r.srrelid::regclass::text;

SELECT format('PROBLEM: the managed database has no subscription %s: run this script without --status', :'name')
 WHERE NOT EXISTS (SELECT FROM pg_subscription WHERE subname = :'name');
SELECT CASE WHEN NOT s.subenabled THEN 'PROBLEM: the subscription is disabled'
            ELSE 'PROBLEM: no worker runs for the subscription; the log of the managed database says why' END
  FROM pg_subscription s
 WHERE s.subname = :'name'
   AND (NOT s.subenabled OR NOT EXISTS (SELECT FROM pg_stat_subscription w
                                         WHERE w.subid = s.oid AND w.relid IS NULL AND w.pid IS NOT NULL));
SELECT format('PROBLEM: the table %s is not copied yet', r.srrelid::regclass)
  FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
 WHERE s.subname = :'name' AND r.srsubstate <> 'r' ORDER BY 1;
SELECT format('PROBLEM: drift: the managed database has no column %I.%I.%I: run --refresh', t.schema, t.name, x.name)
  FROM jsonb_to_recordset(current_setting('clerk.tables')::jsonb) AS t(schema text, name text, columns jsonb)
 CROSS JOIN LATERAL jsonb_to_recordset(t.columns) AS x(name text)
 CROSS JOIN LATERAL to_regclass(format('%I.%I', t.schema, t.name)) AS c(relation)
 WHERE c.relation IS NOT NULL
   AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.relation AND a.attname = x.name AND NOT a.attisdropped);

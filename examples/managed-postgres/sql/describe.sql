-- The tables of the mirror with their columns, the key that tells their rows apart, and the indexes that a copy needs too.
-- Generated columns are not replicated.
SELECT translate(encode(convert_to(coalesce(jsonb_agg(t ORDER BY t.schema, t.name), '[]')::text, 'UTF8'), 'base64'), E'\n', '')
  FROM (
    SELECT n.nspname AS schema, c.relname AS name, c.relrowsecurity AS row_security,
           (SELECT jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, -1),
                                                'typmod', a.atttypmod) ORDER BY a.attnum)
              FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
           (SELECT jsonb_agg(a.attname ORDER BY k.place)
              FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
              JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
             WHERE i.indrelid = c.oid AND k.place <= i.indnkeyatts
               AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END) AS key,
           (SELECT jsonb_agg((SELECT jsonb_agg(a.attname ORDER BY k.place)
                                FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
                                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum) ORDER BY x.relname)
              FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
             WHERE i.indrelid = c.oid AND i.indisvalid AND NOT i.indisunique AND m.amname = 'btree'
               AND i.indexprs IS NULL AND i.indpred IS NULL) AS indexes
      FROM clerk_fdw.mirror_status s JOIN pg_class c ON c.oid = s.relation JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE s.mirror = :'mirror') t;

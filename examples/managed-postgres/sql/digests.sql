-- For each table: its name, the number of its rows and a sum of their hashes.
SELECT format('SELECT %L, count(*),
                      coalesce(sum((''x'' || substr(encode(sha256(convert_to(ROW(%s)::text, ''UTF8'')), ''hex''), 1, 15))
                                   ::bit(60)::bigint), 0)
                 FROM %I.%I', format('%I.%I', t.schema, t.name),
              (SELECT string_agg(quote_ident(x.name), ', ') FROM jsonb_to_recordset(t.columns) AS x(name text)),
              t.schema, t.name)
  FROM jsonb_to_recordset(current_setting('clerk.tables')::jsonb) AS t(schema text, name text, columns jsonb) \gexec

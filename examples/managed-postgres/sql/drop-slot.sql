-- A walsender may take a while to notice that its subscriber has gone.
SELECT count(pg_terminate_backend(active_pid, 5000)) FROM pg_replication_slots WHERE slot_name = :'name' AND active
\gset ignored_
SELECT count(pg_drop_replication_slot(slot_name)::text) FROM pg_replication_slots WHERE slot_name = :'name'
\gset ignored_

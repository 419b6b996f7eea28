SET client_min_messages = warning;
DROP PUBLICATION IF EXISTS :"name";
SELECT format('DROP OWNED BY %I', rolname), format('DROP ROLE %I', rolname) FROM pg_roles
 WHERE rolname = :'name' AND shobj_description(oid, 'pg_authid') = 'Made by connect.sh of clerk_fdw.' \gexec

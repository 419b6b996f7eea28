-- Prints which function of the library every function in C calls, and with what: "symbol | arguments | result".
SELECT DISTINCT format('%s | %s | %s%s', p.prosrc, oidvectortypes(p.proargtypes), CASE WHEN p.proretset THEN 'set of ' ELSE '' END, p.prorettype::regtype)
  FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'clerk_fdw'
  JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'c'
 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' ORDER BY 1;

-- Row security for applications: who a request is from, and which rows of a mirror that shows them.
--
-- PostgREST and Supabase verify the token that Clerk signed, and set its claims for the transaction. The search_path of
-- what reads them is fixed, so that nobody's own operators decide what they may see.

CREATE FUNCTION clerk_fdw.current_user_id() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub' $$;
COMMENT ON FUNCTION clerk_fdw.current_user_id() IS 'the id of the Clerk user that this request is from';

CREATE FUNCTION clerk_fdw.current_org_id() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT coalesce(c #>> '{o,id}', c ->> 'org_id')
          FROM (SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb) claims(c) $$;
COMMENT ON FUNCTION clerk_fdw.current_org_id() IS
  'the id of the organization that is active in this request''s session, from the claim o.id or org_id';

-- The newer claim has no prefix, the older one and Clerk's memberships have it.
CREATE FUNCTION clerk_fdw.current_org_role() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT CASE WHEN role LIKE 'org:%' THEN role ELSE 'org:' || role END
          FROM (SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb) claims(c),
               LATERAL (SELECT coalesce(c #>> '{o,rol}', c ->> 'org_role')) given(role) $$;
COMMENT ON FUNCTION clerk_fdw.current_org_role() IS
  'the user''s role in the active organization, from the claim o.rol or org_role, always as in org:admin';

CREATE FUNCTION clerk_fdw.current_organizations(mirror text) RETURNS text[]
  STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp LANGUAGE c AS 'MODULE_PATHNAME', 'current_organizations_wrapper';
COMMENT ON FUNCTION clerk_fdw.current_organizations(text) IS
  'the organizations that the current user is a member of: by the mirror''s memberships, or, where it has none, the active one';

CREATE FUNCTION clerk_fdw.current_people(mirror text) RETURNS text[]
  STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp LANGUAGE c AS 'MODULE_PATHNAME', 'current_people_wrapper';
COMMENT ON FUNCTION clerk_fdw.current_people(text) IS
  'the members of the organizations that the current user is a member of, and the current user';

ALTER TABLE clerk_fdw.mirror_table ADD COLUMN row_security boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN clerk_fdw.mirror_table.row_security IS 'whether clerk_fdw.enable_row_security switched row security on';

-- The condition under which a row of a mirror's table is shown; NULL for objects that are not shown at all.
CREATE FUNCTION clerk_fdw.row_condition(mirror text, object text, columns jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  condition text := CASE object
    WHEN 'users' THEN '%1$I::text = ANY ((SELECT clerk_fdw.current_people(%3$L))::text[])'
    WHEN 'organizations' THEN '%2$I::text = ANY ((SELECT clerk_fdw.current_organizations(%3$L))::text[])'
    WHEN 'organization_memberships' THEN
      '%1$I::text = (SELECT clerk_fdw.current_user_id())'
      ' OR %2$I::text = ANY ((SELECT clerk_fdw.current_organizations(%3$L))::text[])'
    END;
  person text := coalesce((SELECT m.key FROM jsonb_each_text(columns) m WHERE m.value = 'user_id'), 'user_id');
  organization text :=
    coalesce((SELECT m.key FROM jsonb_each_text(columns) m WHERE m.value = 'organization_id'), 'organization_id');
BEGIN
  RETURN format(condition, person, organization, mirror);
END $$;
COMMENT ON FUNCTION clerk_fdw.row_condition(text, text, jsonb) IS 'the condition of the policy on a mirror''s table';

CREATE FUNCTION clerk_fdw.enable_row_security(mirror text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made record;
  condition text;
BEGIN
  IF NOT EXISTS (SELECT FROM clerk_fdw.mirror m WHERE m.mirror = enable_row_security.mirror) THEN
    RAISE EXCEPTION 'mirror "%" does not exist', mirror USING ERRCODE = 'undefined_object';
  END IF;
  FOR made IN SELECT t.object, t.relation, t.columns, c.relrowsecurity, o.rolname AS owner,
                     pg_has_role(r.oid, c.relowner, 'USAGE') AND NOT c.relforcerowsecurity AS can_sync
                FROM clerk_fdw.mirror_table t JOIN clerk_fdw.mirror m USING (mirror)
                JOIN pg_roles r ON r.rolname = m.owner
                JOIN pg_class c ON c.oid = t.relation JOIN pg_roles o ON o.oid = c.relowner
               WHERE t.mirror = enable_row_security.mirror LOOP
    IF NOT made.can_sync THEN
      RAISE EXCEPTION 'row security would keep syncs of mirror "%" from writing to %', mirror, made.relation
        USING ERRCODE = 'object_not_in_prerequisite_state',
              HINT = format('The mirror''s owner needs the rights of %I, and row security must not be forced.', made.owner);
    END IF;
    EXECUTE format('DROP POLICY IF EXISTS clerk_fdw_read ON %s', made.relation);
    condition := clerk_fdw.row_condition(mirror, made.object, made.columns);
    IF condition IS NOT NULL THEN
      EXECUTE format('CREATE POLICY clerk_fdw_read ON %s FOR SELECT USING (%s)', made.relation, condition);
    END IF;
    IF NOT made.relrowsecurity THEN
      EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', made.relation);
      UPDATE clerk_fdw.mirror_table t SET row_security = true
       WHERE t.mirror = enable_row_security.mirror AND t.object = made.object;
    END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION clerk_fdw.enable_row_security(text) IS
  'makes policies on a mirror''s tables: people see themselves, the members of their organizations, these organizations and their memberships; nobody writes. Other policies and privileges stay as they are: whoever is to read needs SELECT on them, and EXECUTE on current_user_id, current_organizations and current_people';

CREATE FUNCTION clerk_fdw.disable_row_security(mirror text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made record;
BEGIN
  IF NOT EXISTS (SELECT FROM clerk_fdw.mirror m WHERE m.mirror = disable_row_security.mirror) THEN
    RAISE EXCEPTION 'mirror "%" does not exist', mirror USING ERRCODE = 'undefined_object';
  END IF;
  FOR made IN SELECT t.object, t.relation, t.row_security FROM clerk_fdw.mirror_table t
                JOIN pg_class c ON c.oid = t.relation
               WHERE t.mirror = disable_row_security.mirror LOOP
    EXECUTE format('DROP POLICY IF EXISTS clerk_fdw_read ON %s', made.relation);
    -- Who has made policies of their own since relies on them.
    IF made.row_security AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = made.relation) THEN
      EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', made.relation);
    END IF;
    UPDATE clerk_fdw.mirror_table t SET row_security = false
     WHERE t.mirror = disable_row_security.mirror AND t.object = made.object AND t.row_security;
  END LOOP;
END $$;
COMMENT ON FUNCTION clerk_fdw.disable_row_security(text) IS
  'removes the policies that clerk_fdw.enable_row_security made, and switches row security off where it was switched on by it and no other policy is left';

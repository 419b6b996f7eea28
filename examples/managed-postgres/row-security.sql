-- In the managed database: what a signed-in user may see of the replicated mirror "app". The claims of their token are in
-- request.jwt.claims, where PostgREST and Supabase put them; the role is Supabase's. Rights end with the membership, the
-- organization or the user.
CREATE SCHEMA clerk_access;
GRANT USAGE ON SCHEMA clerk_access, app TO authenticated;

CREATE FUNCTION clerk_access.user_id() RETURNS text LANGUAGE sql STABLE
  RETURN nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub';

-- The organizations of that user. SECURITY DEFINER, because the policies below would otherwise ask themselves.
CREATE FUNCTION clerk_access.organizations() RETURNS text[] LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
  BEGIN ATOMIC
    SELECT coalesce(array_agg(m.organization_id), '{}')
      FROM app.organization_memberships m JOIN app.organizations o USING (organization_id) JOIN app.users u USING (user_id)
     WHERE m.user_id = clerk_access.user_id() AND NOT coalesce(u.banned, false)
       AND m.deleted_at IS NULL AND o.deleted_at IS NULL AND u.deleted_at IS NULL;
  END;

-- In a subquery, so that it runs once for each query and not once for each row.
CREATE POLICY own ON app.users FOR SELECT TO authenticated
  USING (user_id = (SELECT clerk_access.user_id()) AND deleted_at IS NULL AND NOT coalesce(banned, false));
CREATE POLICY own ON app.organizations FOR SELECT TO authenticated
  USING (organization_id = ANY ((SELECT clerk_access.organizations())::text[]) AND deleted_at IS NULL);
CREATE POLICY own ON app.organization_memberships FOR SELECT TO authenticated
  USING (user_id = (SELECT clerk_access.user_id()) AND organization_id = ANY ((SELECT clerk_access.organizations())::text[])
         AND deleted_at IS NULL);

-- Columns, because policies are about rows: private_metadata and attrs stay with the backend.
GRANT SELECT (user_id, username, first_name, last_name, image_url, email, public_metadata, created_at, updated_at)
  ON app.users TO authenticated;
GRANT SELECT (organization_id, name, slug, image_url, public_metadata, created_at, updated_at)
  ON app.organizations TO authenticated;
GRANT SELECT (membership_id, organization_id, user_id, role, created_at, updated_at)
  ON app.organization_memberships TO authenticated;

-- Tenants whose source of truth is Clerk's organizations. The page is docs/recipes/tenants.md.
--
-- Run it as the role that owns the mirror app, on a server clerk that is updatable. The functions run with that role's
-- rights and its key; nobody else needs either.

CREATE SCHEMA tenancy;

-- What Clerk knows (name, slug, logo, members) is not copied. Columns of your own go here.
CREATE TABLE tenancy.tenants (
  tenant_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization_id text UNIQUE,
  plan text NOT NULL DEFAULT 'free',
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN tenancy.tenants.organization_id IS 'the organization at Clerk; null until the tenant is adopted';

-- Tenants that are older than their organizations, until they are adopted.
CREATE TABLE tenancy.adoptions (
  tenant_id bigint PRIMARY KEY REFERENCES tenancy.tenants ON DELETE CASCADE,
  slug text NOT NULL UNIQUE,
  name text NOT NULL,
  owner_id text NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  tried_at timestamptz,
  error text
);
COMMENT ON COLUMN tenancy.adoptions.owner_id IS 'the Clerk user who becomes the organization''s first admin';

-- Every organization is a tenant, whoever made it: create_tenant, Clerk's components or its dashboard. Tenants that wait
-- for adoption have a row already, which takes the organization with their slug.
CREATE FUNCTION tenancy.add_tenant() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO tenancy.tenants (organization_id)
  SELECT NEW.organization_id
   WHERE NEW.deleted_at IS NULL AND NOT EXISTS (SELECT FROM tenancy.adoptions a WHERE a.slug = NEW.slug)
  ON CONFLICT (organization_id) DO NOTHING;
  RETURN NULL;
END $$;

CREATE TRIGGER add_tenant AFTER INSERT ON app.organizations
  FOR EACH ROW EXECUTE FUNCTION tenancy.add_tenant();

-- The organizations that the mirror has already.
INSERT INTO tenancy.tenants (organization_id)
SELECT o.organization_id FROM app.organizations o
 WHERE o.deleted_at IS NULL AND NOT EXISTS (SELECT FROM tenancy.adoptions a WHERE a.slug = o.slug)
ON CONFLICT (organization_id) DO NOTHING;

-- Returns the organization with this slug, or makes it at Clerk with this user as its first admin. An organization that
-- somebody else created is refused: a slug is chosen by users, and must not let them into another's tenant.
CREATE FUNCTION tenancy.own_organization(slug text, name text, owner_id text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  organization jsonb;
BEGIN
  IF owner_id IS NULL THEN
    RAISE null_value_not_allowed USING MESSAGE = 'a tenant needs an owner';
  END IF;
  organization := clerk_fdw.ensure_organization('clerk', slug, name, owner_id);
  IF organization ->> 'created_by' IS DISTINCT FROM owner_id THEN
    RAISE unique_violation USING MESSAGE = format('the slug %L is taken', slug);
  END IF;
  RETURN organization ->> 'id';
END $$;

-- Makes a tenant, first at Clerk, then here. Call it again after any error: there is one organization and one tenant,
-- however often and by however many sessions it is called.
CREATE FUNCTION tenancy.create_tenant(slug text, name text, owner_id text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  own_id text;
  result bigint;
BEGIN
  IF EXISTS (SELECT FROM tenancy.adoptions a WHERE a.slug = create_tenant.slug) THEN
    RAISE unique_violation USING MESSAGE = format('the slug %L is taken', create_tenant.slug);
  END IF;
  -- One call for each owner at a time: each locks its new organization in the mirror and then all of the owner's.
  PERFORM pg_advisory_xact_lock(hashtextextended('tenancy.create_tenant ' || create_tenant.owner_id, 0));
  own_id := tenancy.own_organization(create_tenant.slug, create_tenant.name, create_tenant.owner_id);
  -- The owner's membership and the organization, so that the mirror has them now and not with the next event.
  PERFORM clerk_fdw.sync_user('app', create_tenant.owner_id, fallback => true);
  INSERT INTO tenancy.tenants (organization_id) VALUES (own_id) ON CONFLICT (organization_id) DO NOTHING;
  SELECT t.tenant_id INTO STRICT result FROM tenancy.tenants t WHERE t.organization_id = own_id;
  RETURN result;
END $$;

-- Adopts one older tenant, and returns its id; null if none is left that has not been tried in the last hour. An error
-- about this tenant is recorded, and it is tried again after an hour. An error that concerns all of them (no connection, a
-- wrong key, too many requests) is raised.
CREATE FUNCTION tenancy.adopt_next() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  waiting tenancy.adoptions;
BEGIN
  SELECT * INTO waiting FROM tenancy.adoptions
   WHERE tried_at IS NULL OR tried_at < now() - interval '1 hour'
   ORDER BY tried_at NULLS FIRST, tenant_id LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  BEGIN
    UPDATE tenancy.tenants SET organization_id = tenancy.own_organization(waiting.slug, waiting.name, waiting.owner_id)
     WHERE tenant_id = waiting.tenant_id AND organization_id IS NULL;
    DELETE FROM tenancy.adoptions WHERE tenant_id = waiting.tenant_id;
  EXCEPTION WHEN sqlstate 'HV000' OR integrity_constraint_violation OR invalid_parameter_value THEN
    -- HV000 alone, not its class: that Clerk refused the request.
    IF SQLSTATE LIKE 'HV%' AND SQLSTATE <> 'HV000' THEN
      RAISE;
    END IF;
    UPDATE tenancy.adoptions SET attempts = attempts + 1, tried_at = now(), error = SQLERRM
     WHERE tenant_id = waiting.tenant_id;
  END;
  RETURN waiting.tenant_id;
END $$;

-- Adopts up to this many tenants and commits each, so that an interrupted batch loses nothing. Several may run at once.
CREATE PROCEDURE tenancy.adopt(up_to integer DEFAULT 100)
LANGUAGE plpgsql AS $$
BEGIN
  WHILE up_to OPERATOR(pg_catalog.>) 0 LOOP
    EXIT WHEN tenancy.adopt_next() IS NULL;
    COMMIT;
    up_to := up_to OPERATOR(pg_catalog.-) 1;
  END LOOP;
END $$;

-- Every tenant with the name and the slug that it has at Clerk now.
CREATE VIEW tenancy.tenants_with_names AS
SELECT t.*, coalesce(o.name, a.name) AS name, coalesce(o.slug, a.slug) AS slug, o.image_url,
       CASE WHEN t.organization_id IS NULL THEN 'not adopted'
            WHEN o.organization_id IS NULL THEN 'not in the mirror'
            WHEN o.deleted_at IS NOT NULL THEN 'deleted'
            ELSE 'active' END AS state,
       o.deleted_at
  FROM tenancy.tenants t
  LEFT JOIN app.organizations o ON o.organization_id = t.organization_id
  LEFT JOIN tenancy.adoptions a ON a.tenant_id = t.tenant_id;

-- Which of their tenants a user chose as the primary one.
CREATE TABLE tenancy.primary_tenants (
  user_id text PRIMARY KEY,
  tenant_id bigint NOT NULL REFERENCES tenancy.tenants ON DELETE CASCADE
);
CREATE INDEX ON tenancy.primary_tenants (tenant_id);

-- The tenants of each user, the primary one at position 1: the one they chose, else where they have been an admin for
-- longest, else a member. Deleted and banned users have none, and nobody has a deleted one.
CREATE VIEW tenancy.user_tenants WITH (security_barrier) AS
SELECT m.user_id, t.tenant_id, t.organization_id, o.name, o.slug, m.role, m.created_at AS member_since,
       row_number() OVER (PARTITION BY m.user_id
         ORDER BY p.tenant_id IS NULL, m.role <> 'org:admin', m.created_at, m.membership_id) AS position
  FROM app.organization_memberships m
  JOIN app.users u ON u.user_id = m.user_id AND u.deleted_at IS NULL AND u.banned IS NOT TRUE
  JOIN app.organizations o ON o.organization_id = m.organization_id AND o.deleted_at IS NULL
  JOIN tenancy.tenants t ON t.organization_id = m.organization_id
  LEFT JOIN tenancy.primary_tenants p ON p.user_id = m.user_id AND p.tenant_id = t.tenant_id
 WHERE m.deleted_at IS NULL;

-- The same for the user behind a request, by the claims of their token.
CREATE VIEW tenancy.my_tenants WITH (security_barrier) AS
SELECT tenant_id, organization_id, name, slug, role, member_since, position
  FROM tenancy.user_tenants WHERE user_id = (SELECT clerk_fdw.current_user_id());

-- Nobody may call what makes organizations until you say so.
REVOKE ALL ON FUNCTION tenancy.own_organization, tenancy.create_tenant, tenancy.adopt_next FROM PUBLIC;
REVOKE ALL ON PROCEDURE tenancy.adopt FROM PUBLIC;

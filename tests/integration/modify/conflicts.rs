//! ON CONFLICT, and foreign tables that are partitions or children.

use crate::support::*;

/// A new row that Clerk has already is left out; the others are made.
#[test]
fn do_nothing() {
    let world = writable(small());
    world.run("INSERT INTO clerk.organizations (name, slug) VALUES ('first', 'taken')");
    world.requests();
    let insert = |values: &str, conflict: &str| -> Vec<String> {
        world.column(&format!(
            "INSERT INTO clerk.organizations (name, slug) VALUES {values} ON CONFLICT {conflict} RETURNING name"
        ))
    };
    assert_eq!(insert("('a', 'taken')", "DO NOTHING"), [""; 0]);
    assert_eq!(insert("('a', 'taken')", "(slug) DO NOTHING"), [""; 0]);
    assert_eq!(insert("('a', 'free-1'), ('b', 'taken'), ('c', 'free-2')", "(slug) DO NOTHING"), ["a", "c"]);
    // Twice in the same statement.
    assert_eq!(insert("('d', 'free-3'), ('e', 'free-3')", "DO NOTHING"), ["d"]);
    let count = world
        .client()
        .execute("INSERT INTO clerk.organizations (name, slug) VALUES ('f', 'taken'), ('g', 'free-4') ON CONFLICT DO NOTHING", &[])
        .unwrap();
    assert_eq!(count, 1);
    assert_eq!(["first", "a", "b", "c", "d", "e", "f", "g"].map(|name| named(&world, name)), [1, 1, 0, 1, 1, 0, 0, 1]);
    // What is refused for something else is an error all the same.
    let error = world
        .error("INSERT INTO clerk.organizations (name, created_by) VALUES ('h', 'user_nobody') ON CONFLICT DO NOTHING");
    assert_eq!(error.code().code(), "HV000", "{error:?}");
    let user = world.sim.users()[0].id.clone();
    let membership = format!(
        "INSERT INTO clerk.organization_memberships (organization_id, user_id, role)
         SELECT organization_id, '{user}', 'org:member' FROM clerk.organizations WHERE slug = 'taken'
         ON CONFLICT (user_id, organization_id) DO NOTHING"
    );
    let count = |statement: &str| world.client().execute(statement, &[]).unwrap();
    assert_eq!((count(&membership), count(&membership)), (1, 0));
}

/// A conflict that is about another column than the one that is named is an error, as in Postgres.
#[test]
fn other_column() {
    let world = writable(small());
    world.run(r#"INSERT INTO clerk.users (username, external_id, email) VALUES ('ada', 'x-1', 'ada@example.com')"#);
    let insert = "INSERT INTO clerk.users (username, external_id) VALUES ('ada', 'x-2') ON CONFLICT";
    world.run(&format!("{insert} (username) DO NOTHING"));
    let error = world.error(&format!("{insert} (external_id) DO NOTHING"));
    assert_eq!(error.code().code(), "HV000", "{error:?}");
    world.run(&format!("{insert} DO NOTHING"));
    world.run(
        "INSERT INTO clerk.users (email, username) VALUES ('ADA@example.com', 'eva') ON CONFLICT (email) DO NOTHING",
    );
    assert_eq!(world.sim.users().len(), 61);
}

/// DO UPDATE changes the row that Clerk has, with what its SET says of both.
#[test]
fn do_update() {
    let world = writable(small());
    world.run("INSERT INTO clerk.organizations (name, slug, max_allowed_memberships) VALUES ('first', 'taken', 7)");
    world.requests();
    let upsert = |set: &str| -> Vec<String> {
        world.column(&format!(
            "INSERT INTO clerk.organizations AS o (name, slug) VALUES ('new', 'taken') ON CONFLICT (slug) DO UPDATE SET {set}
             RETURNING name || ' ' || slug || ' ' || max_allowed_memberships"
        ))
    };
    assert_eq!(upsert("name = excluded.name || ', was ' || o.name"), ["new, was first taken 7"]);
    let requests = lines(&world);
    assert_eq!(requests.len(), 3, "{requests:?}");
    assert!(requests[2].ends_with(r#"{"name":"new, was first"}"#), "{requests:?}");
    assert_eq!(
        upsert("max_allowed_memberships = o.max_allowed_memberships + 1 WHERE o.name LIKE 'new%'"),
        ["new, was first taken 8"]
    );
    assert_eq!(upsert("name = 'x' WHERE o.name = 'nobody'"), [""; 0]);
    assert_eq!(upsert("name = o.name"), ["new, was first taken 8"]);
    assert_eq!(named(&world, "new, was first"), 1);
    // A new one is made.
    world.run(
        "INSERT INTO clerk.organizations (name, slug) VALUES ('fresh', 'fresh'), ('again', 'taken')
         ON CONFLICT (slug) DO UPDATE SET name = excluded.name",
    );
    assert_eq!(["fresh", "again"].map(|name| named(&world, name)), [1, 1]);
    // Prepared as well, with a generic plan.
    world.run("PREPARE upsert AS INSERT INTO clerk.organizations (name, slug) VALUES ($1, 'taken') ON CONFLICT (slug) DO UPDATE SET name = excluded.name");
    for number in 0..8 {
        world.run(&format!("EXECUTE upsert ('prepared {number}')"));
        assert_eq!(named(&world, &format!("prepared {number}")), 1);
    }
    world.run("SET plan_cache_mode = force_generic_plan; EXECUTE upsert ('generic'); EXECUTE upsert ('generic 2')");
    assert_eq!(named(&world, "generic 2"), 1);
}

/// What Clerk does not hold unique cannot be named. It is known when the statement is planned.
#[test]
fn nothing_unique() {
    let world = writable(small());
    world.requests();
    for statement in [
        "INSERT INTO clerk.organizations (name) VALUES ('a') ON CONFLICT (name) DO NOTHING",
        "INSERT INTO clerk.organizations (name) VALUES ('a') ON CONFLICT (slug, name) DO NOTHING",
        "INSERT INTO clerk.organizations (name) VALUES ('a') ON CONFLICT (lower(slug)) DO NOTHING",
        "INSERT INTO clerk.organizations (name) VALUES ('a') ON CONFLICT (slug) WHERE slug > '' DO NOTHING",
        "INSERT INTO clerk.organizations (name) VALUES ('a') ON CONFLICT (organization_id) DO UPDATE SET name = 'b'",
        "INSERT INTO clerk.machines (name) VALUES ('a') ON CONFLICT DO NOTHING",
        "WITH x AS (INSERT INTO clerk.machines (name) VALUES ('a') ON CONFLICT (name) DO NOTHING) SELECT 1",
    ] {
        let error = world.error(&format!("EXPLAIN {statement}"));
        assert_eq!(error.code().code(), "42P10", "{statement}: {error:?}");
        assert_eq!(world.error(statement).code().code(), "42P10", "{statement}");
    }
    assert_eq!(lines(&world), [""; 0]);
    // Local tables are Postgres's own business.
    world.run("CREATE TABLE public.local (slug text PRIMARY KEY)");
    world.run("INSERT INTO public.local VALUES ('a') ON CONFLICT (slug) DO NOTHING");
    assert_eq!(
        world.error("INSERT INTO public.local VALUES ('a') ON CONFLICT (nothing) DO NOTHING").code().code(),
        "42703"
    );
}

/// Rows go to the partition that they belong to, also if that is at Clerk.
#[test]
fn partitions() {
    let world = writable(small());
    world.run(
        "CREATE TABLE public.all_organizations (organization_id text, name text, slug text) PARTITION BY LIST (name);
         CREATE TABLE public.here PARTITION OF public.all_organizations FOR VALUES IN ('here');
         CREATE FOREIGN TABLE public.there PARTITION OF public.all_organizations FOR VALUES IN ('there', 'still there')
           SERVER clerk OPTIONS (object 'organizations')",
    );
    world.run(
        "INSERT INTO public.all_organizations (name, slug) VALUES ('here', 'a-1'), ('there', 'a-2'), ('there', 'a-3')",
    );
    assert_eq!((named(&world, "there"), named(&world, "here")), (2, 0));
    assert_eq!(world.one::<i64>("SELECT count(*) FROM public.here"), 1);
    let returned: Vec<Option<String>> = world
        .column("INSERT INTO public.all_organizations (name, slug) VALUES ('there', 'a-4') RETURNING organization_id");
    assert!(returned[0].as_ref().is_some_and(|id| id.starts_with("org_")), "{returned:?}");
    world.run("INSERT INTO public.all_organizations (name, slug) VALUES ('there', 'a-4') ON CONFLICT DO NOTHING");
    assert_eq!(named(&world, "there"), 3);
    let error = world.error(
        "INSERT INTO public.all_organizations (name, slug) VALUES ('there', 'a-4') ON CONFLICT (slug) DO UPDATE SET name = 'x'",
    );
    assert!(["0A000", "42P10"].contains(&error.code().code()), "{error:?}");
    world.run("UPDATE public.all_organizations SET name = 'still there' WHERE slug = 'a-2' AND name = 'there'");
    assert_eq!((named(&world, "still there"), named(&world, "there")), (1, 2));
    let error = world
        .error("UPDATE public.all_organizations SET name = 'there' WHERE slug = 'a-1' AND name IN ('here', 'there')");
    assert_eq!(error.code().code(), "0A000", "{error:?}");
    world.run("DELETE FROM public.all_organizations WHERE slug = 'a-2' AND name = 'still there'");
    assert_eq!(named(&world, "still there"), 0);
    world.copy("public.all_organizations (name, slug)", "here\tb-1\nthere\tb-2\nthere\tb-3\n").unwrap();
    assert_eq!((named(&world, "there"), world.one::<i64>("SELECT count(*) FROM public.here")), (4, 2));
}

/// A child of a table that is written through its parent.
#[test]
fn inheritance() {
    let world = writable(small());
    world.run(
        "CREATE TABLE public.parent (organization_id text, name text, slug text);
         INSERT INTO public.parent VALUES ('local', 'family', 'local');
         CREATE FOREIGN TABLE public.child () INHERITS (public.parent) SERVER clerk OPTIONS (object 'organizations');
         INSERT INTO public.child (name, slug) VALUES ('family', 'child-1'), ('family', 'child-2')",
    );
    world.run("UPDATE public.parent SET name = 'kin' WHERE name = 'family'");
    assert_eq!((named(&world, "kin"), named(&world, "family")), (2, 0));
    let slugs: Vec<String> = world.column("DELETE FROM public.parent WHERE name = 'kin' RETURNING slug");
    assert_eq!(sorted(slugs), ["child-1", "child-2", "local"]);
    assert_eq!(named(&world, "kin"), 0);
}

/// A new user conflicts by any of its addresses.
#[test]
fn any_address() {
    let world = writable(small());
    world.run("INSERT INTO clerk.users (email, first_name) VALUES ('there@example.com', 'Ada')");
    let insert = r#"INSERT INTO clerk.users (attrs) VALUES ('{"email_address": ["new@example.com", "there@example.com"]}')
                    ON CONFLICT (email)"#;
    let changed: Vec<String> =
        world.column(&format!("{insert} DO UPDATE SET first_name = 'Grace' RETURNING first_name"));
    assert_eq!(changed, ["Grace"]);
    world.run(&format!("{insert} DO NOTHING"));
    assert_eq!(
        world.one::<i64>("SELECT count(*) FROM clerk.users WHERE email LIKE '%@example.com' AND first_name = 'Grace'"),
        1
    );
}

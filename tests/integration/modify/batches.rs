//! Many rows in one statement: several requests in flight, bulk endpoints, and which row it was that failed.

use std::time::Duration;

use serde_json::Value;

use crate::support::*;

/// Rows of an INSERT and of COPY are sent beside each other, but never more of them than max_concurrency says.
#[test]
fn in_flight() {
    let world = writable_with(small(), "max_concurrency '4'");
    world.run("SELECT FROM clerk.organizations");
    world.sim.set_latency(Duration::from_millis(50));
    let values: Vec<_> = (0..24).map(|number| format!("('many', 'many-{number}')")).collect();
    for way in ["INSERT", "INSERT … SELECT", "COPY"] {
        world.requests();
        match way {
            "INSERT" => {
                world.run(&format!("INSERT INTO clerk.organizations (name, slug) VALUES {}", values.join(", ")));
            }
            "COPY" => {
                let rows: String = (0..24).map(|number| format!("copied\tcopied-{number}\n")).collect();
                assert_eq!(world.copy("clerk.organizations (name, slug)", &rows).unwrap(), 24);
            }
            _ => world.run(
                "INSERT INTO clerk.organizations (name, slug) SELECT 'some', 'some-' || n FROM generate_series(0, 23) n",
            ),
        }
        world.wait_until_idle();
        let peak = world.sim.in_flight_peak();
        assert!((2..=4).contains(&peak), "{way}: {peak} in flight");
        assert_eq!(world.requests().len(), 24, "{way}");
    }
    assert_eq!(["many", "some", "copied"].map(|name| named(&world, name)), [24; 3]);
}

/// Invitations go ten by ten; those to organizations by their organization.
#[test]
fn bulk() {
    let world = writable(small());
    let insert =
        "INSERT INTO clerk.invitations (email_address) SELECT format('n%s@example.com', n) FROM generate_series";
    let sizes = |world: &World| {
        let sizes = world.requests().into_iter().map(|request| {
            let body: Value = serde_json::from_str(&request.body.unwrap_or_default()).unwrap();
            (request.path, body.as_array().map_or(1, Vec::len))
        });
        sorted(sizes.collect::<Vec<_>>())
    };
    let bulk = || "/v1/invitations/bulk".to_owned();
    world.requests();
    world.run(&format!("{insert}(1, 25) n"));
    assert_eq!(sizes(&world), [(bulk(), 5), (bulk(), 10), (bulk(), 10)]);
    world.run(&format!("{insert}(31, 41) n"));
    assert_eq!(sizes(&world), [("/v1/invitations".to_owned(), 1), (bulk(), 10)]);
    let rows: String = (51..=70).map(|number| format!("n{number}@example.com\n")).collect();
    world.copy("clerk.invitations (email_address)", &rows).unwrap();
    assert_eq!(sizes(&world), [(bulk(), 10), (bulk(), 10)]);
    let [one, other] = [0, 1].map(|index| world.sim.organizations()[index].id.clone());
    world.run(&format!(
        "INSERT INTO clerk.organization_invitations (organization_id, email_address, role)
         SELECT CASE n % 2 WHEN 0 THEN '{one}' ELSE '{other}' END, format('o%s@example.com', n), 'org:member'
           FROM generate_series(1, 24) n"
    ));
    let path = |id: &str| format!("/v1/organizations/{id}/invitations/bulk");
    assert_eq!(sizes(&world), sorted(vec![(path(&one), 2), (path(&one), 10), (path(&other), 2), (path(&other), 10)]));
}

/// After a refused bulk request no other is started. If its rows can be made one by one after all, the others follow.
#[test]
fn refused_bulk_request() {
    let world = writable_with(small(), "max_concurrency '1'");
    let many = "FROM generate_series(1, 40) n";
    world.run("INSERT INTO clerk.invitations (email_address) VALUES ('there@example.com')");
    world.requests();
    let error = world.error(&format!(
        "INSERT INTO clerk.invitations (email_address)
         SELECT CASE n WHEN 13 THEN 'there@example.com' ELSE format('a%s@example.com', n) END {many}"
    ));
    assert_eq!(
        error.detail(),
        Some("12 rows of this statement had reached Clerk and stay there (rows 1 to 12); row 13 was next.")
    );
    assert_eq!(count_writes(&world), 2 + 3, "two bulk requests, and rows 11 to 13");
    let refusal = r#"{"errors": [{"message": "no", "code": "busy"}]}"#;
    world.sim.fault(clerk_sim::Fault::body(422, refusal).on_path("/v1/invitations/bulk").nth(2));
    world.run(&format!("INSERT INTO clerk.invitations (email_address) SELECT format('bulk-%s@example.com', n) {many}"));
    assert_eq!(count_writes(&world), 4 + 10);
    let made: i64 = world.one("SELECT count(*) FROM clerk.invitations WHERE email_address LIKE 'bulk-%@example.com'");
    assert_eq!(made, 40);
}

/// A scan that is read again within the statement, without another parameter, has the rows that it had.
#[test]
fn reads_the_same_again() {
    let world = writable(small());
    let counts: Vec<String> = world.column(
        "INSERT INTO clerk.organizations (name)
         SELECT 'n' || c FROM generate_series(1, 3) g,
                LATERAL (SELECT count(*) AS c FROM clerk.organizations o WHERE o.name <> g::text) x
         RETURNING name",
    );
    assert_eq!(counts, ["n8", "n8", "n8"]);
}

/// Rows in which nothing changes are shown as they are, and nothing is sent for them.
#[test]
fn unchanged_rows() {
    let world = writable(small());
    world.requests();
    for change in [
        "attrs = '{}'",
        "attrs = attrs - 'name'",
        "name = name",
        "created_at = created_at + interval '10 microseconds'",
    ] {
        let same: bool = world.one(&format!(
            "WITH before AS MATERIALIZED (SELECT * FROM clerk.organizations ORDER BY organization_id LIMIT 1),
                  after AS (UPDATE clerk.organizations SET {change}
                             WHERE organization_id = (SELECT organization_id FROM before) RETURNING *)
             SELECT to_jsonb(before) - 'members_count' = to_jsonb(after) - 'members_count' FROM before, after"
        ));
        assert!(same, "{change}");
    }
    assert_eq!(count_writes(&world), 0);
}

/// Tables may declare what is written as text, however deep it is nested.
#[test]
fn declared_as_text() {
    let world = writable(small());
    world.run(
        "CREATE FOREIGN TABLE clerk.texts (organization_id text, name text, slug text, max_allowed_memberships text,
           public_metadata text, attrs text) SERVER clerk OPTIONS (object 'organizations')",
    );
    world.run("INSERT INTO clerk.texts (attrs) VALUES ('{\"name\": \"Texts\", \"slug\": \"texts\"}')");
    world.run(
        "UPDATE clerk.texts SET max_allowed_memberships = '17', public_metadata = '{\"a\": 1}' WHERE slug = 'texts'",
    );
    world.run("UPDATE clerk.texts SET attrs = '{\"name\": \"Other\"}' WHERE slug = 'texts'");
    let found: String = world.one(
        "SELECT concat_ws(' ', name, max_allowed_memberships, public_metadata) FROM clerk.organizations WHERE slug = 'texts'",
    );
    assert_eq!(found, "Other 17 {\"a\": 1}");
    world.requests();
    for column in ["public_metadata", "attrs"] {
        for depth in [101, 20_000] {
            let error = world.error(&format!(
                "UPDATE clerk.texts SET {column} = repeat('{{\"a\":', {depth}) || '1' || repeat('}}', {depth})
                  WHERE slug = 'texts'"
            ));
            assert_eq!(error.code().code(), "22023", "{column}, {depth}: {error:?}");
        }
    }
    assert_eq!(count_writes(&world), 0);
}

/// A row of a bulk request that Clerk refuses is named, with Clerk's words; those before it are made, once.
#[test]
fn refused_among_many() {
    let world = writable_with(small(), "max_concurrency '1'");
    let mut emails: Vec<String> = (1..=14).map(|number| format!("n{number}@example.com")).collect();
    emails[11] = "no address".to_owned();
    let values: Vec<_> = emails.iter().map(|email| format!("('{email}')")).collect();
    let error = world.error(&format!("INSERT INTO clerk.invitations (email_address) VALUES {}", values.join(", ")));
    assert!(error.message().contains("email_address"), "{error:?}");
    assert_eq!(
        error.detail(),
        Some("11 rows of this statement had reached Clerk and stay there (rows 1 to 11); row 12 was next.")
    );
    let made: Vec<_> = world.sim.objects("invitations");
    for (position, email) in emails.iter().enumerate() {
        let there = made.iter().filter(|object| object.json.contains(&format!("\"{email}\""))).count();
        assert_eq!(there, usize::from(position < 11), "{email}");
    }
}

/// A row that COPY has and Clerk refuses is named.
#[test]
fn refused_copy() {
    let world = writable_with(small(), "max_concurrency '1'");
    world.run("INSERT INTO clerk.organizations (name, slug) VALUES ('first', 'taken')");
    let error = world.copy("clerk.organizations (name, slug)", "a\tfree-1\nb\ttaken\nc\tfree-2\n").unwrap_err();
    let error = error.as_db_error().unwrap();
    assert!(error.message().contains("That slug is taken"), "{error:?}");
    assert_eq!(
        error.detail(),
        Some("1 row of this statement had reached Clerk and stays there (row 1); row 2 was next.")
    );
    assert_eq!(["a", "b", "c"].map(|name| named(&world, name)), [1, 0, 0]);
}

/// A row with a value that JSON cannot express is named, and none that would be sent together with it is sent.
#[test]
fn inexpressible_among_many() {
    let world = writable(small());
    world.run(
        "CREATE FOREIGN TABLE clerk.dated (name text, created_at timestamptz) SERVER clerk OPTIONS (object 'organizations')",
    );
    world.requests();
    let insert = world.error(
        "INSERT INTO clerk.dated VALUES ('a', '2024-01-01'), ('b', '2024-01-02'), ('c', 'infinity'), ('d', '2024-01-04')",
    );
    let rows = "a\t2024-01-01\nb\t2024-01-02\nc\tinfinity\nd\t2024-01-04\n";
    let copied = world.copy("clerk.dated", rows).unwrap_err();
    for error in [&insert, copied.as_db_error().unwrap()] {
        assert_eq!(error.code().code(), "22023", "{error:?}");
        assert!(error.message().contains("created_at"), "{error:?}");
        assert_eq!(error.detail(), Some("No row of this statement had reached Clerk; row 3 was next."));
    }
    assert_eq!(count_writes(&world), 0);
}

/// A statement that writes into what it reads ends: its rows are those from before.
#[test]
fn reads_before_it_writes() {
    let world = writable_with(clerk_sim::Config { organizations: 25, ..small() }, "page_size '10'");
    world.run("INSERT INTO clerk.organizations (name) SELECT 'copy' FROM clerk.organizations");
    assert_eq!(world.sim.organizations().len(), 50);
    // Row by row as well.
    world.run("INSERT INTO clerk.organizations (name) SELECT 'again' FROM clerk.organizations RETURNING name");
    assert_eq!(world.sim.organizations().len(), 100);
    world.run("UPDATE clerk.organizations SET name = name || '!'");
    assert_eq!((named(&world, "copy!"), named(&world, "again!")), (25, 50));
    // A list by offset would skip what moves up.
    world.run("DELETE FROM clerk.organizations");
    assert_eq!(world.sim.organizations().len(), 0);
    world.run("DELETE FROM clerk.users");
    assert_eq!(world.sim.users().len(), 0);
}

/// Of what is read before the first write, a LIMIT needs no more than its rows.
#[test]
fn reads_no_more_than_its_limit() {
    let world = writable_with(clerk_sim::Config { organizations: 60, ..small() }, "page_size '10'");
    world.requests();
    world.run("INSERT INTO clerk.machines (name) SELECT name FROM clerk.organizations LIMIT 3");
    let requests = lines(&world);
    assert_eq!(requests.len(), 4, "{requests:#?}");
}

/// A plan may read Clerk in a part of the statement that is planned before its target.
#[test]
fn subqueries() {
    let world = writable(small());
    world.run("CREATE TABLE public.local (number bigint); INSERT INTO public.local VALUES (0)");
    world.run("INSERT INTO public.local VALUES ((SELECT count(*) FROM clerk.users))");
    world.run("UPDATE public.local SET number = (SELECT count(*) FROM clerk.organizations) WHERE number = 0");
    assert_eq!(world.column::<i64>("SELECT number FROM public.local ORDER BY 1"), [8, 60]);
    world.run(
        "INSERT INTO clerk.organizations (name, created_by) VALUES ('Acme', (SELECT min(user_id) FROM clerk.users))",
    );
    world.run("UPDATE clerk.organizations SET name = (SELECT 'B' FROM clerk.users LIMIT 1) WHERE name = 'Acme'");
    world.run("DELETE FROM clerk.organizations WHERE name = (SELECT 'B' FROM clerk.users LIMIT 1)");
    assert_eq!(named(&world, "B"), 0);
    let count: i64 = world.one(
        "WITH new AS (INSERT INTO clerk.organizations (name) SELECT 'C' FROM clerk.organizations LIMIT 3 RETURNING name)
         SELECT count(*) FROM new",
    );
    assert_eq!((count, named(&world, "C")), (3, 3));
}

/// RETURNING has what Clerk has made of a row, not what was given.
#[test]
fn returning() {
    let world = writable(small());
    let user = world.sim.users()[0].id.clone();
    let row = &world.rows(&format!(
        "INSERT INTO clerk.organizations (name, created_by) VALUES ('Acme & Co', '{user}')
         RETURNING organization_id, slug, members_count, created_at > '2020-01-01', attrs ->> 'name', tableoid::regclass::text"
    ))[0];
    let id: String = row.get(0);
    assert!(world.sim.organizations().iter().any(|organization| organization.id == id), "{id}");
    assert!(row.get::<_, Option<String>>(1).is_some_and(|slug| !slug.is_empty()), "a slug of Clerk's own");
    assert_eq!((row.get::<_, i64>(2), row.get::<_, bool>(3)), (1, true));
    assert_eq!((row.get::<_, &str>(4), row.get::<_, &str>(5)), ("Acme & Co", "clerk.organizations"));
    let row = &world.rows(&format!(
        "INSERT INTO clerk.user_email_addresses (user_id, email_address) VALUES ('{user}', 'New@Example.com')
         RETURNING user_email_address_id, user_id, email_address"
    ))[0];
    assert!(row.get::<_, String>(0).starts_with("idn_"));
    assert_eq!((row.get::<_, &str>(1), row.get::<_, &str>(2)), (&*user, "New@Example.com"));
    let row =
        &world.rows("INSERT INTO clerk.machines (name) VALUES ('Loom') RETURNING machine_id, default_token_ttl")[0];
    assert_eq!(row.get::<_, i64>(1), 3600);
    let revoked: Vec<String> = world.column(
        "INSERT INTO clerk.invitations (email_address) VALUES ('x@example.com'), ('y@example.com') RETURNING status",
    );
    assert_eq!(revoked, ["pending"; 2]);
    let status: String = world
        .one("UPDATE clerk.organizations SET name = 'Acme' WHERE slug = 'acme-co' RETURNING name || updated_at::date");
    assert!(status.starts_with("Acme20"), "{status}");
    let gone: String = world.one("DELETE FROM clerk.machines WHERE name = 'Loom' RETURNING name");
    assert_eq!(gone, "Loom");
}

//! What a request says: its path, whatever an id holds, and its headers.

use crate::support::*;

/// Whatever stands in a query as an id, it is data: it never reaches another endpoint.
#[test]
fn an_id_never_reaches_another_endpoint() {
    let world = World::new(small());
    let user = world.sim.users()[0].id.clone();
    let with_count = format!("{user}?include_members_count=true");
    let below = format!("{user}/organization_memberships");
    let hostile = [
        "",
        ".",
        "..",
        "../organizations",
        "../users",
        "..\\organizations",
        "%2e%2e",
        "..%2forganizations",
        "/",
        "//",
        "//example.com/",
        "a/b?c#d%2e",
        "?limit=500",
        "#",
        "&",
        "count",
        " ",
        "\t\n",
        "\u{1}",
        "é",
        "🦀",
        "user_%",
        "'\"",
        "@example.com",
        "http://example.com/",
        &with_count,
        &below,
    ];
    for (table, column, path) in [
        ("users", "user_id", "/v1/users/"),
        ("organizations", "organization_id", "/v1/organizations/"),
        ("organization_memberships", "organization_id", "/v1/organizations/"),
    ] {
        for id in hostile {
            let query = format!("SELECT * FROM clerk.{table} WHERE {column} = $1");
            let result = world.client().query(&query, &[&id]);
            // `count` is the one id that names another endpoint: what comes back is no user.
            match result {
                Ok(rows) => assert_eq!(rows.len(), 0, "{query} {id:?}"),
                Err(_) if id == "count" && table == "users" => {}
                Err(error) => panic!("{error:?} for {id:?}"),
            }
            for target in world.targets() {
                let rest = target.strip_prefix(path).unwrap_or_else(|| panic!("{id:?} became {target}"));
                let ours = [
                    "/memberships?order_by=created_at&limit=500",
                    "?include_members_count=true&include_missing_member_with_elevated_permissions=true",
                ];
                let rest = ours.iter().find_map(|ours| rest.strip_suffix(ours)).unwrap_or(rest);
                assert!(!rest.contains(['/', '?', '#', '\\', ' ']), "{id:?} became {target}");
                assert!(!["", ".", ".."].contains(&rest), "{id:?} became {target}");
            }
        }
    }
}

/// Clerk is told which version of its API is meant and who asks.
#[test]
fn api_version_and_user_agent() {
    let world = World::new(small());
    world.rows("SELECT * FROM clerk.users LIMIT 1");
    let requests = world.requests();
    assert_eq!(requests[0].api_version.as_deref(), Some("2026-05-12"));
    assert!(requests[0].user_agent.as_deref().is_some_and(|agent| agent.starts_with("clerk_fdw/")));
    world.run("ALTER SERVER clerk OPTIONS (ADD api_version '2025-04-10')");
    world.rows("SELECT * FROM clerk.users LIMIT 1");
    assert_eq!(world.requests()[0].api_version.as_deref(), Some("2025-04-10"));
}

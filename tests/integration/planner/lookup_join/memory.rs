//! What a join holds does not grow with its rows, and little work_mem changes no result.

use super::*;

/// Whatever work_mem is, the rows are the same.
#[test]
fn little_work_mem() {
    let oracle = orders();
    oracle.run(
        "CREATE TABLE own.much AS SELECT g AS id, o.user_id, o.email, o.organization_id, repeat(md5(g::text), 20) AS filler
           FROM generate_series(1, 6000) g JOIN own.orders o ON o.id = g * 7 % 250 + 1 AND o.id <> 6;
         ANALYZE own.much",
    );
    for work_mem in ["64kB", "1MB", "4MB"] {
        oracle.run(&format!("SET work_mem = '{work_mem}'"));
        check(
            &oracle,
            &[
                ("INNER", "SELECT m.*, u.email FROM own.much m JOIN clerk.users u USING (user_id)"),
                ("LEFT", "SELECT m.id, m.filler, u.attrs FROM own.much m LEFT JOIN clerk.users u USING (user_id)"),
                ("by address", "SELECT m.id, u.user_id FROM own.much m LEFT JOIN clerk.users u USING (email)"),
                (
                    "EXISTS",
                    "SELECT m.id FROM own.much m WHERE EXISTS (SELECT FROM clerk.users u WHERE u.user_id = m.user_id)",
                ),
                (
                    "NOT EXISTS",
                    "SELECT m.id, m.filler FROM own.much m WHERE NOT EXISTS (SELECT FROM clerk.users u WHERE u.user_id = m.user_id)",
                ),
                (
                    "owners",
                    "SELECT m.id, s.membership_id FROM own.much m JOIN clerk.organization_memberships s ON s.organization_id = m.organization_id WHERE m.id < 900",
                ),
            ],
        );
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use clerk_sim::{Fault, Sim};

    use super::*;

    /// A line of /proc/PID/status, in kilobytes.
    fn status(pid: i32, name: &str) -> i64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the backend's status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()).expect("a number");
        number.parse().expect("a number")
    }

    /// The most that a backend has held in kilobytes, which runs a query of so many rows.
    fn peak(world: &World, settings: &str, query: &str, rows: i64) -> i64 {
        let session = world.connect();
        session.run(ONLY_LOOKUPS);
        session.run(&format!("SET statement_timeout = '180s'; {settings}"));
        let plan = plan_of(&session, query);
        assert!(plan.contains(NODE), "{plan}");
        assert_eq!(session.one::<i64>(query), rows, "{query}");
        status(session.pid(), "VmHWM")
    }

    /// Ten times the outer rows do not need more memory, with few keys for many wide rows or many keys that are unknown.
    #[test]
    fn outer_rows() {
        let world = crowd(2000, "");
        world.run(
            "CREATE TABLE own.wide AS SELECT g AS n, k.user_id, repeat(md5(g::text), 8) AS filler
               FROM generate_series(1, 200000) g JOIN own.known k ON k.n = (g - 1) / 100 + 1 ORDER BY g;
             CREATE TABLE own.unknown AS SELECT g AS n, 'user_' || md5(g::text) AS user_id FROM generate_series(1, 60000) g;
             ANALYZE own.wide; ANALYZE own.unknown",
        );
        for (settings, query, few, many) in [
            (
                "SET work_mem = '4MB'",
                "SELECT count(length(w.filler) + length(u.user_id)) FROM own.wide w JOIN clerk.users u USING (user_id) WHERE w.n <= ",
                20_000,
                200_000,
            ),
            (
                "SET work_mem = '64kB'",
                "SELECT count(length(w.filler) + length(u.user_id)) FROM own.wide w JOIN clerk.users u USING (user_id) WHERE w.n <= ",
                10_000,
                100_000,
            ),
            (
                "SET work_mem = '4MB'",
                "SELECT count(u.user_id) FROM generate_series(1, 1000000) w (n) JOIN clerk.users u
                   ON u.user_id = (ARRAY(SELECT k.user_id FROM own.known k WHERE k.n <= 100))[w.n % 100 + 1] WHERE w.n <= ",
                200_000,
                1_000_000,
            ),
            (
                "SET work_mem = '64kB'",
                "SELECT count(*) FROM own.unknown w LEFT JOIN clerk.users u USING (user_id) WHERE w.n <= ",
                6_000,
                60_000,
            ),
        ] {
            let [less, more] = [few, many].map(|rows| peak(&world, settings, &format!("{query}{rows}"), rows));
            assert!(more - less <= 8 * 1024, "{settings}: {less} kB for {few} rows, {more} kB for {many} of {query}");
        }
    }

    /// An owner with ten times the members does not need more memory.
    #[test]
    fn long_list_of_an_owner() {
        let many = Sim::start(Config {
            users: 20_000,
            organizations: 1,
            memberships: 20_000,
            lone_surrogates: false,
            ..small()
        })
        .unwrap();
        let world = World::with(
            Config { users: 2000, organizations: 1, memberships: 2000, lone_surrogates: false, ..small() },
            "",
        );
        world.server("many", &many, KEY, "");
        let [few, all] = [("clerk", 2000), ("many", 20_000)].map(|(schema, rows)| {
            let query = format!(
                "SELECT count(length(m.attrs::text)) FROM (SELECT organization_id FROM {schema}.organizations OFFSET 0) o
                   JOIN {schema}.organization_memberships m ON m.organization_id = o.organization_id"
            );
            peak(&world, "SET work_mem = '4MB'", &query, rows)
        });
        assert!(all - few <= 32 * 1024, "{few} kB for 2,000 members, {all} kB for 20,000");
    }

    /// Runs a join in one way.
    type Run = fn(&Session, &str);

    /// Joins that end, fail, time out or are closed leave nothing behind.
    #[test]
    fn no_leak() {
        let world = crowd(400, "max_retries '0'");
        let join = "SELECT k.n, u.attrs FROM own.known k JOIN clerk.users u USING (user_id)";
        let held = |session: &Session| {
            let contexts: i64 = session.one("SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts");
            let files = std::fs::read_dir(format!("/proc/{}/fd", session.pid())).expect("open files").count();
            (contexts, status(session.pid(), "RssAnon"), files)
        };
        let cases: [(&str, Run); 5] = [
            ("complete", |session, join| assert_eq!(session.rows(join).len(), 400)),
            ("LIMIT", |session, join| assert_eq!(session.rows(&format!("{join} LIMIT 7")).len(), 7)),
            ("closed", |session, join| {
                session.run(&format!("BEGIN; DECLARE c CURSOR FOR {join}; FETCH 130 FROM c; CLOSE c; COMMIT"))
            }),
            ("failed", |session, join| drop(session.error(join))),
            ("timed out", |session, join| drop(session.error(&format!("SET statement_timeout = '20ms'; {join}")))),
        ];
        for (what, run) in cases {
            world.sim.clear_faults();
            let third = |fault: Fault| fault.on_path("/v1/users").has("user_id").nth(3).always();
            match what {
                "failed" => world.sim.fault(third(Fault::status(500))),
                "timed out" => world.sim.fault(third(Fault::silence())),
                _ => {}
            }
            let session = world.connect();
            session.run(ONLY_LOOKUPS);
            (0..80).for_each(|_| run(&session, join));
            let before = held(&session);
            (0..200).for_each(|_| run(&session, join));
            let after = held(&session);
            let change = format!("{what}: {before:?} became {after:?}");
            assert!(after.0 - before.0 <= 64 * 1024, "{change}");
            assert!(after.1 - before.1 <= 6 * 1024, "{change}");
            assert!(after.2 <= before.2 + 8, "{change}");
        }
    }
}

//! Where it happens: a server with two databases, two instances of Clerk, mirrors, and what all actors know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use clerk_sim::webhook::Receiver;
use clerk_sim::{Config, Sim};
use fastrand::Rng;

use super::journal::Journal;

use crate::random::OWN_ROWS;
use crate::random::values::Table;
use crate::support::*;

/// How many requests each instance may get in ten seconds. It is so low that requests have to wait for their turn.
pub const LIMIT: usize = 500;

const CONFIGURATION: &str = "
    shared_preload_libraries = 'clerk_fdw'
    clerk_fdw.naptime = 1
    max_worker_processes = 24
    log_line_prefix = '%m [%p] %e '
";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    Calm,
    Storm,
    Over,
}

/// What there is before anybody acts, and what is taken apart at the end.
pub struct Stage {
    pub still: Oracle,
    pub moving: World,
    pub cluster: Cluster,
}

impl Stage {
    pub fn build(seed: u64) -> Stage {
        let cluster = Cluster::with(CONFIGURATION);
        let latency = Duration::from_millis(3);
        let config = Config {
            users: 120,
            organizations: 25,
            memberships: 300,
            lone_surrogates: false,
            seed,
            latency,
            ..small()
        };
        let options = format!("page_size '20', max_concurrency '3', timeout_ms '3000', rate_limit '{LIMIT}'");
        let still = World::at(cluster.host(), config, &options, "");
        create_people(&still);
        let still = Oracle::of(still, "");
        still.run(OWN_ROWS);

        let config = Config {
            users: 250,
            organizations: 25,
            memberships: 300,
            lone_surrogates: false,
            seed: seed + 1,
            latency,
            ..small()
        };
        let options = format!(
            "page_size '100', max_concurrency '3', timeout_ms '3000', max_retries '2', rate_limit '{LIMIT}', updatable 'true'"
        );
        let moving = World::at(cluster.host(), config, &options, "");
        // What comes and goes is of a server of its own, so that writes are not shown to its mirrors: a backend keeps
        // statements prepared for each mirror that it writes to, and would seem to leak.
        let options = format!("rate_limit '{LIMIT}', timeout_ms '3000', max_retries '2'");
        moving.server("other", &moving.sim, moving.sim.key(), &options);
        moving.run(&format!(
            "SELECT clerk_fdw.create_mirror('clerk', 'm');
             SELECT clerk_fdw.add_webhook_secret('m', '{SECRET}');
             SELECT clerk_fdw.create_mirror('clerk', 'hard', '{{users, user_email_addresses, organization_memberships}}', deletes => 'hard');
             CREATE TABLE anchor (id text PRIMARY KEY)"
        ));
        moving.run("CALL clerk_fdw.sync('m')");
        moving.run("CALL clerk_fdw.sync('hard')");
        moving.run("SELECT clerk_fdw.schedule_sync('m', '* * * * *')");
        Stage { still, moving, cluster }
    }

    /// Lets Clerk send webhooks through clerk-hook.
    pub fn hook(&self) -> Hook {
        let hook = Hook::start(self.cluster.host(), self.moving.database(), "m");
        self.moving.sim.set_receiver(Some(Receiver::new(hook.url(), SECRET).unwrap()));
        hook
    }

    pub fn scene(&self, seed: u64, hook: &Hook) -> Scene<'_> {
        let anchors: Vec<_> = self.moving.sim.users().iter().take(100).map(|user| user.id.clone()).collect();
        self.moving.client().execute("INSERT INTO anchor SELECT unnest($1::text[])", &[&anchors]).unwrap();
        self.moving.run("ANALYZE anchor");
        let tables =
            [("users", "user_id"), ("organizations", "organization_id"), ("organization_memberships", "membership_id")];
        Scene {
            seed,
            tables: tables.map(|(name, key)| Table::new(&self.still, name, key)),
            still: self.still.address(),
            moving: self.moving.address(),
            databases: [self.still.database().to_owned(), self.moving.database().to_owned()],
            still_sim: &self.still.sim,
            sim: &self.moving.sim,
            sim_began: clock_of(&self.moving),
            still_began: clock_of(&self.still),
            cluster: &self.cluster,
            hook_url: hook.url().to_owned(),
            hook_pid: hook.pid(),
            anchors,
            organizations: ids(&self.moving.sim.organizations()),
            journal: Journal::default(),
            phase: AtomicU8::new(Phase::Calm as u8),
            lasting: Mutex::default(),
            killed: Mutex::default(),
            restarts: Mutex::default(),
            accepted: Mutex::default(),
            ledger: Mutex::default(),
            ensured: Mutex::default(),
            segments: Mutex::default(),
        }
    }
}

/// When the clock of a world's simulator began.
fn clock_of(world: &World) -> Instant {
    world.rows("SELECT count(*) FROM clerk.organizations");
    let now = Instant::now();
    now - world.sim.requests().last().expect("a request").at
}

/// What is known of the backend of a lasting connection.
pub struct Lasting {
    pub pid: i32,
    /// How many bytes its memory contexts have.
    pub contexts: i64,
    /// How many operations it has met.
    pub operations: u32,
}

/// What all actors share.
pub struct Scene<'a> {
    pub seed: u64,
    /// The tables of random queries.
    pub tables: [Table; 3],
    pub still: Address,
    pub moving: Address,
    pub databases: [String; 2],
    pub still_sim: &'a Sim,
    /// The instance that changes.
    pub sim: &'a Sim,
    /// When the simulators began to count the times of requests.
    pub sim_began: Instant,
    pub still_began: Instant,
    pub cluster: &'a Cluster,
    pub hook_url: String,
    pub hook_pid: i32,
    /// Users who are there all the time. Their names change, and each writer may change one's metadata.
    pub anchors: Vec<String>,
    /// The organizations that belong to no writer.
    pub organizations: Vec<String>,
    pub journal: Journal,
    phase: AtomicU8,
    /// The backends of the lasting connections, by the names of these.
    pub lasting: Mutex<BTreeMap<&'static str, Lasting>>,
    /// Processes that were killed on purpose.
    pub killed: Mutex<BTreeSet<i32>>,
    /// When the server was down because it was restarted.
    pub restarts: Mutex<Vec<Instant>>,
    /// The ids of deliveries that were answered with 200.
    pub accepted: Mutex<BTreeSet<String>>,
    /// What writers know of the objects they own: see [`super::writers`].
    pub ledger: Mutex<Vec<super::writers::Kept>>,
    /// The ids that `ensure_organization` gave for each slug.
    pub ensured: Mutex<BTreeMap<String, BTreeSet<String>>>,
    /// The shared memory that the server's processes have had.
    pub segments: Mutex<BTreeSet<String>>,
}

impl Scene<'_> {
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Calm,
            1 => Phase::Storm,
            _ => Phase::Over,
        }
    }

    /// Goes on to a later phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.phase() == Phase::Over
    }

    /// The random numbers of one actor.
    pub fn random(&self, name: &str, number: u64) -> Rng {
        let name = name.bytes().fold(number, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Rng::with_seed(self.seed ^ name.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// Waits for a random time of up to so many milliseconds, or until it is over.
    pub fn pause(&self, random: &mut Rng, up_to: u64) {
        let until = Instant::now() + Duration::from_millis(random.u64(..=up_to));
        while !self.is_over() && Instant::now() < until {
            let rest = until.saturating_duration_since(Instant::now());
            std::thread::sleep(rest.min(Duration::from_millis(50)));
        }
    }
}

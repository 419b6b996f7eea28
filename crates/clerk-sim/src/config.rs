//! How a simulator is configured.

use std::net::SocketAddr;
use std::time::Duration;

use crate::instance::DEFAULT_SEED;
use crate::rate_limit::RateLimit;
use crate::webhook::Receiver;

/// The configuration of a simulator.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens. Port 0, the default, is any free port of the loopback interface.
    pub listen: SocketAddr,
    /// The seed for everything that is generated.
    pub seed: u64,
    /// The id of the instance; `None`, the default, is an id generated from the seed.
    pub instance: Option<String>,
    /// How many users there are at first.
    pub users: usize,
    /// How many organizations there are at first.
    pub organizations: usize,
    /// How many memberships there are at first; at most one for each user in each organization.
    pub memberships: usize,
    /// About how many objects there are at first of each other kind that can be many, such as invitations or sessions.
    /// There are always a few roles, permissions, plans and settings.
    pub others: usize,
    /// Whether some metadata contains half a surrogate pair, as Clerk's may. Clerk's Python client cannot read it.
    pub lone_surrogates: bool,
    /// How many users there may be before the API refuses to create more, as in Clerk's development instances; `None`,
    /// the default, is any number.
    pub user_quota: Option<usize>,
    /// The delay before every answer.
    pub latency: Duration,
    /// How many requests a key may make.
    pub rate_limit: RateLimit,
    /// The secret keys that are accepted.
    pub keys: Vec<String>,
    /// Where webhooks are POSTed to. [`Sim::webhooks`](crate::Sim::webhooks) returns them with or without a receiver.
    pub receiver: Option<Receiver>,
    /// Whether the requests are appended to the file that `CLERK_SIM_REQUEST_LOG` names, if it is set. A test that asks for
    /// made-up paths on purpose turns this off, because what reads the file would blame the client for them.
    pub request_file: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: DEFAULT_SEED,
            instance: None,
            users: 100,
            organizations: 10,
            memberships: 150,
            others: 25,
            lone_surrogates: true,
            user_quota: None,
            latency: Duration::ZERO,
            rate_limit: RateLimit::default(),
            keys: vec!["sk_test_simulator".to_owned()],
            receiver: None,
            request_file: true,
        }
    }
}

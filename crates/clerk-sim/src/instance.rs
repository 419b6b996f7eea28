//! The Clerk instance that the keys belong to.

use fake::rand::SeedableRng;
use fake::rand::rngs::StdRng;
use serde::Serialize;

use crate::Config;
use crate::generate::{START, id};

/// The instance, as in Clerk's OpenAPI description.
#[derive(Serialize)]
pub(crate) struct Instance {
    object: &'static str,
    pub(crate) id: String,
    environment_type: &'static str,
    allowed_origins: Option<Vec<String>>,
    workspace_id: Option<String>,
}

impl Instance {
    pub(crate) fn new(config: &Config) -> Instance {
        // The id has a random generator of its own, so that the users are the same whether the id is configured or
        // generated.
        let made_up = || id::new("ins_", &mut StdRng::seed_from_u64(config.seed), START);
        let live = config.keys.first().is_some_and(|key| key.starts_with("sk_live_"));
        Instance {
            object: "instance",
            id: config.instance.clone().unwrap_or_else(made_up),
            environment_type: if live { "production" } else { "development" },
            allowed_origins: None,
            workspace_id: None,
        }
    }
}

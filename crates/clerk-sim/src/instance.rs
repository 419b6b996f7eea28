//! The Clerk instance that the keys belong to.

use fake::rand::SeedableRng;
use fake::rand::rngs::StdRng;
use serde::Serialize;

use crate::generate::id;
use crate::generate::time::START;

/// The seed unless another one is configured.
pub(crate) const DEFAULT_SEED: u64 = 1;

/// The instance, as in Clerk's OpenAPI description.
#[derive(Serialize)]
pub(crate) struct Instance {
    object: &'static str,
    pub(crate) id: String,
    environment_type: &'static str,
    pub(crate) allowed_origins: Option<Vec<String>>,
    workspace_id: Option<String>,
}

impl Instance {
    pub(crate) fn new(id: String, keys: &[String]) -> Instance {
        let live = keys.first().is_some_and(|key| key.starts_with("sk_live_"));
        Instance {
            object: "instance",
            id,
            environment_type: if live { "production" } else { "development" },
            allowed_origins: None,
            workspace_id: None,
        }
    }

    pub(crate) fn is_production(&self) -> bool {
        self.environment_type == "production"
    }
}

/// The id that an instance has unless another one is configured. It has a random generator of its own, so that the users
/// are the same in both cases.
pub(crate) fn generated_id(seed: u64) -> String {
    id::new("ins_", &mut StdRng::seed_from_u64(seed), START)
}

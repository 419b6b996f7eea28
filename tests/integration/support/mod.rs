//! What the tests share: helpers only, each file for one kind, and no test. A helper that two files use belongs here.

mod assertions;
mod attacker;
mod cluster;
mod hook;
mod interruption;
mod mirrors;
mod oracle;
mod process;
#[path = "../../../crates/clerk-hook/tests/support/program.rs"]
mod program;
mod seed;
mod session;
mod skip;
mod waiting;
mod webhooks;
mod window;
mod world;
mod writing;

pub use self::assertions::*;
pub use self::attacker::*;
pub use self::cluster::*;
pub use self::hook::*;
pub use self::interruption::*;
pub use self::mirrors::*;
pub use self::oracle::*;
pub use self::process::*;
pub use self::program::*;
pub use self::seed::*;
pub use self::session::*;
pub use self::skip::*;
pub use self::waiting::*;
pub use self::webhooks::*;
pub use self::window::*;
pub use self::world::*;
pub use self::writing::*;

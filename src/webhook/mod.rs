//! Webhooks: what Clerk tells by itself, verified and applied once, in whatever order it comes.
//!
//! | file | question |
//! | --- | --- |
//! | [`secret`] | Which secrets sign a mirror's webhooks? |
//! | `apply` | What becomes of the object that an event is about? |
//! | [`receive`] | Is a webhook Clerk's own and new, and what is logged about it? |

mod apply;
pub mod receive;
pub mod secret;

//! Webhooks: the events that Clerk sends, verified and applied once each, in whatever order they arrive.
//!
//! | file | question |
//! | --- | --- |
//! | [`secret`] | Which secrets sign a mirror's webhooks? |
//! | `apply` | How does an event change the mirror? |
//! | [`receive`] | Is a delivery authentic and new, and what is logged about it? |

pub mod apply;
pub mod receive;
pub mod secret;

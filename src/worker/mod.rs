//! Background workers, which sync mirrors on request or on schedule.
//!
//! | file | question |
//! | --- | --- |
//! | `order` | How is a sync's worker told what to do? |
//! | [`background`] | How do workers start, run and end? |

pub mod background;
mod order;

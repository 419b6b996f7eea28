//! What every part of the extension needs of Postgres.
//!
//! | file | question |
//! | --- | --- |
//! | [`encoding`] | How do texts get into databases of other encodings than UTF-8? |
//! | [`quote`] | How do names and texts stand in SQL? |
//! | [`settings`] | What can be set in postgresql.conf? |
//! | [`subtransaction`] | How is what fails undone? |
//! | [`sandbox`] | With whose rights is something done, and how does it stay harmless? |
//! | [`spi`] | How is SQL run from inside? |
//! | [`deferral`] | When are deferrable constraints checked? |
//! | [`transactions`] | How does a procedure commit? |
//! | [`relation`] | What does the catalog say of a table? |
//! | [`hidden_statement`] | How does a statement stay out of the log that may hold a secret? |

pub mod deferral;
pub mod encoding;
pub mod hidden_statement;
pub mod quote;
pub mod relation;
pub mod sandbox;
pub mod settings;
pub mod spi;
pub mod subtransaction;
pub mod transactions;

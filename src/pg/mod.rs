//! Wraps the parts of Postgres that the whole extension needs.
//!
//! | file | question |
//! | --- | --- |
//! | [`encoding`] | How is text converted for databases whose encoding is not UTF-8? |
//! | [`arguments`] | Which arguments does a function have? |
//! | [`jsonb`] | How does JSON text become a jsonb? |
//! | [`expression`] | Which value does an expression have? |
//! | [`memory`] | How are memory contexts made? |
//! | [`quote`] | How are names and texts quoted in SQL? |
//! | [`settings`] | Which settings (GUCs) does the extension have? |
//! | [`subtransaction`] | How is a failed action rolled back? |
//! | [`sandbox`] | With whose rights does a statement run, and how is untrusted code confined? |
//! | [`spi`] | How are SQL statements run? |
//! | [`deferral`] | When are deferrable constraints checked? |
//! | [`transactions`] | How does a procedure commit? |
//! | [`relation`] | What does the catalog say about a table? |
//! | [`tuples`] | How are rows in slots read and copied? |
//! | [`utility`] | Which utility statements are refused? |
//! | [`hidden_statement`] | How is a statement that may contain a secret kept out of the log? |

pub mod arguments;
pub mod deferral;
pub mod encoding;
pub mod expression;
pub mod hidden_statement;
pub mod jsonb;
pub mod memory;
pub mod quote;
pub mod relation;
pub mod sandbox;
pub mod settings;
pub mod spi;
pub mod subtransaction;
pub mod transactions;
pub mod tuples;
pub mod utility;

//! Why a row is refused before anything is sent. No message has a value: it may be a password.

use crate::catalog::Object;

/// What is done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Insert,
    Update,
    Delete,
}

impl Operation {
    /// All operations that an object allows.
    pub fn of(object: &Object) -> Vec<Operation> {
        let writes = &object.writes;
        let allowed = [
            writes.insert.is_some().then_some(Operation::Insert),
            (!writes.updates.is_empty()).then_some(Operation::Update),
            writes.delete.is_some().then_some(Operation::Delete),
        ];
        allowed.into_iter().flatten().collect()
    }

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Insert => "INSERT",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
        }
    }
}

/// Why a row is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error("Clerk does not allow {} of {object}", operation.name())]
    NotAllowed { object: &'static str, operation: Operation },

    #[error("column \"{column}\" of {object} cannot be given in an INSERT")]
    NotInsertable { object: &'static str, column: String, is_updatable: bool },

    #[error("column \"{column}\" of {object} cannot be changed")]
    NotUpdatable { object: &'static str, column: String },

    #[error("column \"{column}\" of {object} can only be changed to {}", values.join(" or "))]
    NotReachable { object: &'static str, column: String, values: Vec<&'static str> },

    #[error("{object} have no field \"{field}\" that {} takes", operation.name())]
    UnknownField { object: &'static str, field: String, operation: Operation },

    #[error("{object} need a value for {field}")]
    Missing { object: &'static str, field: &'static str },

    #[error("{field} of {object} must not be null")]
    Null { object: &'static str, field: String },

    /// A value of another kind.
    #[error("{field} of {object} must be {expected}, not {found}")]
    Kind { object: &'static str, field: String, expected: String, found: &'static str },

    /// A value of the right kind that is too long, too large or the like.
    #[error("{field} of {object} {problem}")]
    Range { object: &'static str, field: String, problem: String },

    /// Clerk's merge of metadata removes members that are null.
    #[error("{field} of {object} cannot be set to null: Clerk removes members that are null")]
    NullMember { object: &'static str, field: String },

    #[error("attrs of {object} must be a JSON object")]
    NoBody { object: &'static str },

    /// A value that is part of the path.
    #[error("a row of {object} has no {column}, by which Clerk finds it")]
    NoKey { object: &'static str, column: &'static str },
}

//! The request that deletes a row.

use super::error::{Operation, WriteError};
use super::row::{Row, RowWriter};
use crate::http::Request;

impl RowWriter {
    /// The request that deletes a row that Clerk has.
    ///
    /// # Errors
    /// If Clerk does not allow that, or the row has no id.
    pub fn delete(&self, row: Row) -> Result<Request, WriteError> {
        let object = self.object.name;
        let delete = self.object.writes.delete.as_ref();
        let delete = delete.ok_or(WriteError::NotAllowed { object, operation: Operation::Delete })?;
        let no_key = WriteError::NoKey { object, column: self.object.id().name };
        // Clerk requires a body where it would take fields, even if it has none.
        let body = (!delete.fields.is_empty()).then(|| "{}".to_owned());
        Request::write(delete, &self.keys(row, delete)?, body).ok_or(no_key)
    }
}

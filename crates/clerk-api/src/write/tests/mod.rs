//! Rows of tables, and the requests that they become. `every_object` has what is true of all objects of the catalogue.

mod every_object;
mod finds;
mod inserts;
mod updates;

use serde_json::Value;

use super::{NewObject, Operation, RowWriter, TableColumn, WriteError};
use crate::catalog::object;
use crate::decode::Locator;
use crate::http::Request;

/// A table of an object.
struct Table {
    writer: RowWriter,
}

/// A table with columns of these names, separated by spaces. `plan=public_metadata.plan` is one with a path.
fn table(name: &str, columns: &str) -> Table {
    let object = object(name).expect(name);
    let columns = columns.split(' ').map(|column| match column.split_once('=') {
        Some((name, path)) => {
            let path = path.split('.').map(str::to_owned).collect();
            TableColumn { name: name.to_owned(), column: None, locator: Locator::Path(path) }
        }
        None => {
            let shown = object.column(column, true);
            let locator = shown.map_or(Locator::Path(vec![column.to_owned()]), |column| column.source.into());
            TableColumn { name: column.to_owned(), column: shown, locator }
        }
    });
    Table { writer: RowWriter::new(object, columns.collect()) }
}

impl Table {
    /// A row with the values that a JSON object has for the columns. The others are NULL.
    fn row(&self, values: &Value) -> Vec<Option<String>> {
        let values = values.as_object().expect("the values of a row");
        for name in values.keys() {
            assert!(self.writer.columns.iter().any(|column| column.name == *name), "there is no column {name}");
        }
        self.writer.columns.iter().map(|column| values.get(&column.name).map(Value::to_string)).collect()
    }

    fn new_object(&self, row: &Value) -> Result<NewObject, WriteError> {
        self.writer.insert(&self.row(row))
    }

    /// The request that inserts a row, with its body.
    fn insert(&self, row: Value) -> Result<String, String> {
        match self.new_object(&row) {
            Ok(new) => Ok(new.request().as_ref().map_or("none".to_owned(), shown)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The requests that make one row of another, with their bodies.
    fn update(&self, old: Value, new: Value) -> Result<Vec<String>, String> {
        match self.writer.update(&self.row(&old), &self.row(&new)) {
            Ok(requests) => Ok(requests.iter().map(|(_, request)| shown(request)).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn delete(&self, row: Value) -> Result<String, String> {
        self.writer.delete(&self.row(&row)).map(|request| shown(&request)).map_err(|error| error.to_string())
    }
}

/// A request as it is sent.
fn shown(request: &Request) -> String {
    match request.body() {
        Some(body) => format!("{request} {body}"),
        None => request.to_string(),
    }
}

fn requests<const N: usize>(requests: [&str; N]) -> Result<Vec<String>, String> {
    Ok(requests.map(str::to_owned).to_vec())
}

//! The file to which requests are appended, so that something else than the simulator can judge them afterwards.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use serde_json::json;

/// The variable that names the file; without it there is none.
const VARIABLE: &str = "CLERK_SIM_REQUEST_LOG";

/// One line for each request: `{"method":"GET","target":"/v1/users?limit=500"}`, with the target as it was received.
/// Of its headers there is only the type of the body, `"content_type":"application/json"`, and so no secret key. Where
/// the request has a body, it is there as a text, `"body":"{…}"`, without secrets.
pub(crate) struct RequestFile(Option<File>);

impl RequestFile {
    /// No file: nothing is appended.
    pub(crate) fn none() -> RequestFile {
        RequestFile(None)
    }

    /// The file that the variable names, if it is set.
    pub(crate) fn from_environment() -> io::Result<RequestFile> {
        let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) else {
            return Ok(RequestFile::none());
        };
        let file =
            OpenOptions::new().append(true).create(true).open(&path).map_err(|error| {
                io::Error::new(error.kind(), format!("{VARIABLE}={}: {error}", path.to_string_lossy()))
            })?;
        Ok(RequestFile(Some(file)))
    }

    /// Appends the line of a request.
    pub(crate) fn append(&self, method: &str, target: &str, content_type: Option<&str>, body: Option<&str>) {
        let Some(mut file) = self.0.as_ref() else { return };
        let mut line = json!({"method": method, "target": target});
        for (name, value) in [("content_type", content_type), ("body", body)] {
            if let Some(value) = value {
                line[name] = json!(value);
            }
        }
        // Simulators in other processes append to the same file: only a line that is written at once stays whole.
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            eprintln!("clerk-sim: {VARIABLE}: a request is missing from the file: {error}");
        }
    }
}

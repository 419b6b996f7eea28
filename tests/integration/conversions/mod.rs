//! Values on their way from JSON into columns, and the encodings of databases.

mod encoding;
mod json;

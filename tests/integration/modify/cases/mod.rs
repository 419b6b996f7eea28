//! The statements of `requests`, and what each of them sends.

mod organizations;
mod people;
mod settings;

/// Statements of one object, in their order, with the requests that each of them makes. The first value that a statement
/// returns is what `{object}` stands for from then on. SELECT only looks for something to write.
pub struct Case {
    pub object: &'static str,
    pub statements: &'static [(&'static str, &'static [&'static str])],
}

/// All of them. Later ones use what earlier ones have made.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [people::CASES, organizations::CASES, settings::CASES].into_iter().flatten()
}

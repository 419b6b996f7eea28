//! Background workers, which sync mirrors at once or when they are due.

pub mod background;

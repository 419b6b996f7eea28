//! The seeds and sizes of random tests, which the environment may set.

pub fn seed_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

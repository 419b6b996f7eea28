//! When requests started, and whether they kept to a limit.

use std::time::Duration;

/// When these requests arrived, in their order.
pub fn starts(requests: &[clerk_sim::Request]) -> Vec<Duration> {
    let mut at: Vec<_> = requests.iter().map(|request| request.at).collect();
    at.sort();
    at
}

/// In no ten seconds there are more than the limit.
#[track_caller]
pub fn assert_window(at: &[Duration], limit: usize) {
    for (first, over) in at.iter().zip(at.iter().skip(limit)) {
        assert!(*over - *first >= Duration::from_secs(10), "{limit} and one more in {:?}", *over - *first);
    }
}

//! Sends requests that change something, several beside each other, and keeps what became of each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;
use tokio::task::JoinHandle;

use crate::http::{Client, Error, Request, Stats, Stopper};

/// What became of a request.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was not sent, or Clerk has not done anything about it.
    NotSent,
    /// It is on its way, and may be done or not.
    OnItsWay,
    /// Clerk has done it and answered with this.
    Done(Vec<u8>),
    Failed(Error),
}

/// Requests that are being sent. Dropping it breaks off those on their way.
pub struct Sending {
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    stopper: Arc<Stopper>,
    stats: Arc<Stats>,
    is_finished: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Sending {
    /// Starts to send requests, in their order, on the current tokio runtime. After the first that fails no other is
    /// started, unless Clerk has refused it and `goes_on` is set. `wake` is called on that runtime when all are through.
    /// It must not block.
    pub fn start(
        requests: Vec<Request>,
        client: Arc<Client>,
        goes_on: bool,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Sending {
        let outcomes = Arc::new(Mutex::new(vec![Outcome::NotSent; requests.len()]));
        let (stopper, stop) = Stopper::new();
        let (stopper, stats) = (Arc::new(stopper), Arc::new(Stats::default()));
        let is_finished = Arc::new(AtomicBool::new(false));
        let finish = Finish { is_finished: Arc::clone(&is_finished), wake };
        let (shared, sending_stopper, sending_stats) =
            (Arc::clone(&outcomes), Arc::clone(&stopper), Arc::clone(&stats));
        let task = tokio::spawn(async move {
            let _finish = finish;
            let max_concurrency = client.settings().max_concurrency;
            let send = |(position, request): (usize, Request)| {
                let (client, shared, stats) = (&client, &shared, &sending_stats);
                let (stopper, mut stop) = (&sending_stopper, stop.clone());
                async move {
                    if stop.is_stopped() {
                        return;
                    }
                    let on_flight = |may_be_done: bool| {
                        set(shared, position, if may_be_done { Outcome::OnItsWay } else { Outcome::NotSent });
                    };
                    let outcome = match client.perform(&request, stats, &mut stop, on_flight).await {
                        Ok(Some(body)) => Outcome::Done(body),
                        Ok(None) => Outcome::NotSent,
                        Err(error) => Outcome::Failed(error),
                    };
                    if let Outcome::Failed(error) = &outcome
                        && !(goes_on && matches!(error, Error::Refused { .. }))
                    {
                        stopper.stop();
                    }
                    set(shared, position, outcome);
                }
            };
            futures_util::stream::iter(requests.into_iter().enumerate())
                .for_each_concurrent(max_concurrency, send)
                .await;
        });
        Sending { outcomes, stopper, stats, is_finished, task }
    }

    /// Whether all requests are through, or stopped.
    pub fn is_finished(&self) -> bool {
        self.is_finished.load(Ordering::Acquire)
    }

    /// Starts no other request; those on their way come back.
    pub fn stop(&self) {
        self.stopper.stop();
    }

    /// What has become of each request up to now.
    pub fn outcomes(&self) -> Vec<Outcome> {
        lock(&self.outcomes).clone()
    }

    /// The same, once and for all, without a copy of the bodies.
    pub fn take_outcomes(&self) -> Vec<Outcome> {
        std::mem::take(&mut *lock(&self.outcomes))
    }

    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// Says that all requests are through when it is dropped: also if the task has met a bug, so that nobody waits forever.
struct Finish<W: Fn()> {
    is_finished: Arc<AtomicBool>,
    wake: W,
}

impl<W: Fn()> Drop for Finish<W> {
    fn drop(&mut self) {
        self.is_finished.store(true, Ordering::Release);
        (self.wake)();
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sets the outcome of a request, unless they were taken because nobody waits any longer.
fn set(outcomes: &Mutex<Vec<Outcome>>, position: usize, outcome: Outcome) {
    if let Some(known) = lock(outcomes).get_mut(position) {
        *known = outcome;
    }
}

fn lock(outcomes: &Mutex<Vec<Outcome>>) -> MutexGuard<'_, Vec<Outcome>> {
    outcomes.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn a_bug_leaves_nobody_waiting() {
        let (is_finished, woken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&woken);
        let wake = move || {
            count.fetch_add(1, Ordering::SeqCst);
        };
        let finish = Finish { is_finished: Arc::clone(&is_finished), wake };
        let task = tokio::spawn(async move {
            let _finish = finish;
            panic!("a bug");
        });
        assert!(task.await.is_err());
        assert!(is_finished.load(Ordering::SeqCst));
        assert_eq!(woken.load(Ordering::SeqCst), 1);
    }
}

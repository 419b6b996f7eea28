//! Places for a bounded number of guests, in which nobody who keeps a place without using it keeps others out.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

/// How long a guest who is sent away has to go before the next one is sent away.
const LEAVING: Duration = Duration::from_millis(100);

/// The places. Where none is free, the guest who has kept the house waiting longest, and longer than its patience,
/// gives way to the next one.
pub(crate) struct Places {
    free: Arc<Semaphore>,
    patience: Duration,
    awaited: Mutex<Awaited>,
    grown: Notify,
}

/// The guests whose next word the house waits for, in the order in which it began to.
#[derive(Default)]
struct Awaited {
    tickets: u64,
    guests: BTreeMap<u64, (Instant, Arc<Notify>)>,
}

impl Places {
    pub(crate) fn new(number: usize, patience: Duration) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(number.min(Semaphore::MAX_PERMITS)));
        Arc::new(Places { free, patience, awaited: Mutex::default(), grown: Notify::new() })
    }

    /// Waits for a place, first come, first served. The house waits for its guest from now on.
    pub(crate) async fn take(self: &Arc<Self>) -> Place {
        let mut permit = pin!(Arc::clone(&self.free).acquire_owned());
        let permit = loop {
            tokio::select! {
                biased;
                permit = &mut permit => break permit,
                () = self.overdue() => self.send_away(),
            }
            if let Ok(permit) = timeout(LEAVING, &mut permit).await {
                break permit;
            }
        };
        let place = Place {
            places: Arc::clone(self),
            ticket: AtomicU64::new(0),
            sent_away: Arc::default(),
            _permit: permit.expect("nothing closes the semaphore"),
        };
        place.awaited();
        place
    }

    /// Waits until a guest has kept the house waiting for too long.
    async fn overdue(&self) {
        loop {
            // Made before the look, so that no guest is overlooked who comes in between.
            let grown = self.grown.notified();
            let oldest = self.lock().guests.values().next().map(|(since, _)| *since + self.patience);
            match oldest {
                Some(due) if due <= Instant::now() => return,
                Some(due) => sleep_until(due).await,
                None => grown.await,
            }
        }
    }

    fn send_away(&self) {
        if let Some((_, (_, guest))) = self.lock().guests.pop_first() {
            guest.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Awaited> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place, until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    /// The guest's key among the awaited, 0 if it never was.
    ticket: AtomicU64,
    sent_away: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// It is the guest's turn: the house waits for its next word.
    pub(crate) fn awaited(&self) {
        {
            let mut awaited = self.places.lock();
            awaited.tickets += 1;
            let ticket = awaited.tickets;
            awaited.guests.insert(ticket, (Instant::now(), Arc::clone(&self.sent_away)));
            self.ticket.store(ticket, Ordering::Relaxed);
        }
        self.places.grown.notify_waiters();
    }

    /// It is the house's turn, and nobody sends the guest away.
    pub(crate) fn served(&self) {
        self.places.lock().guests.remove(&self.ticket.load(Ordering::Relaxed));
    }

    /// Waits until the guest has to go.
    pub(crate) async fn sent_away(&self) {
        self.sent_away.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.served();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    async fn is_sent_away(place: &Place) -> bool {
        timeout(Duration::from_millis(1), place.sent_away()).await.is_ok()
    }

    #[tokio::test]
    async fn who_kept_the_house_waiting_longest_gives_way() {
        let places = Places::new(3, PATIENCE);
        let (first, second, third) = (places.take().await, places.take().await, places.take().await);
        // The first is served, and then waited for again.
        first.served();
        first.awaited();
        third.served();
        let start = Instant::now();
        let next = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take().await }
        });
        second.sent_away().await;
        assert!(start.elapsed() + Duration::from_millis(5) >= PATIENCE, "too early: {:?}", start.elapsed());
        drop(second);
        let _next = next.await.unwrap();
        assert!(!is_sent_away(&first).await && !is_sent_away(&third).await);
    }

    #[tokio::test]
    async fn nobody_gives_way_while_there_are_places_or_all_are_served() {
        let places = Places::new(2, Duration::ZERO);
        let (first, second) = (places.take().await, places.take().await);
        assert!(!is_sent_away(&first).await && !is_sent_away(&second).await);
        first.served();
        second.served();
        let next = Arc::clone(&places);
        let mut next = pin!(next.take());
        assert!(timeout(Duration::from_millis(150), &mut next).await.is_err());
        assert!(!is_sent_away(&first).await && !is_sent_away(&second).await);
        // Whoever is waited for again may have to go at once.
        second.awaited();
        assert!(timeout(Duration::from_millis(50), &mut next).await.is_err());
        assert!(is_sent_away(&second).await);
        drop(second);
        drop(timeout(Duration::from_secs(1), &mut next).await.unwrap());
        assert!(!is_sent_away(&first).await);
    }
}

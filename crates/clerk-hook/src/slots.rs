//! Slots for a bounded number of connections or bodies. Idle clients are evicted from them while others wait.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

/// How long an evicted client has to free its slot before the next client is evicted.
const EVICTION_TIMEOUT: Duration = Duration::from_millis(100);

/// The slots. A slot is evictable while the server waits for its client. If no slot is free and somebody waits for one,
/// the slot that has been evictable for longest is evicted, once it has been so for `patience`.
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    patience: Duration,
    evictable: Mutex<Evictable>,
    /// Wakes those who wait for an evictable slot.
    increased: Notify,
}

/// The evictable slots, in the order in which they became so.
#[derive(Default)]
struct Evictable {
    last_key: u64,
    slots: BTreeMap<u64, EvictableSlot>,
}

struct EvictableSlot {
    since: Instant,
    /// Tells the slot's holder that it is evicted.
    evicted: Arc<Notify>,
}

impl Slots {
    pub(crate) fn new(number: usize, patience: Duration) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(number.min(Semaphore::MAX_PERMITS)));
        Arc::new(Slots { free, patience, evictable: Mutex::default(), increased: Notify::new() })
    }

    /// Waits for a slot, first come, first served. The slot is evictable at first.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Slot {
        let mut permit = pin!(Arc::clone(&self.free).acquire_owned());
        let permit = loop {
            tokio::select! {
                biased;
                permit = &mut permit => break permit,
                () = self.overdue() => self.evict_oldest(),
            }
            if let Ok(permit) = timeout(EVICTION_TIMEOUT, &mut permit).await {
                break permit;
            }
        };
        let slot = Slot {
            slots: Arc::clone(self),
            key: AtomicU64::new(0),
            evicted: Arc::default(),
            _permit: permit.expect("nothing closes the semaphore"),
        };
        slot.make_evictable();
        slot
    }

    /// Waits until a slot has been evictable for `patience`.
    async fn overdue(&self) {
        loop {
            // The notification is registered before the check, so that a slot that becomes evictable in between is not
            // missed.
            let increased = self.increased.notified();
            let oldest = self.lock().slots.values().next().map(|slot| slot.since + self.patience);
            match oldest {
                Some(due) if due <= Instant::now() => return,
                Some(due) => sleep_until(due).await,
                None => increased.await,
            }
        }
    }

    fn evict_oldest(&self) {
        if let Some((_, slot)) = self.lock().slots.pop_first() {
            slot.evicted.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Evictable> {
        self.evictable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot, which is free again once this is dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    /// The slot's last key in [`Evictable::slots`]; 0 if it had none yet.
    key: AtomicU64,
    evicted: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    /// Makes the slot evictable, because the server waits for its client from now on.
    pub(crate) fn make_evictable(&self) {
        {
            let mut evictable = self.slots.lock();
            evictable.last_key += 1;
            let key = evictable.last_key;
            evictable.slots.insert(key, EvictableSlot { since: Instant::now(), evicted: Arc::clone(&self.evicted) });
            self.key.store(key, Ordering::Relaxed);
        }
        self.slots.increased.notify_waiters();
    }

    /// Protects the slot from eviction, because its client waits for the server from now on.
    pub(crate) fn protect(&self) {
        self.slots.lock().slots.remove(&self.key.load(Ordering::Relaxed));
    }

    /// Waits until the slot is evicted. Its holder has to drop it then.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.protect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    async fn is_evicted(slot: &Slot) -> bool {
        timeout(Duration::from_millis(1), slot.evicted()).await.is_ok()
    }

    #[tokio::test]
    async fn the_slot_that_was_evictable_for_longest_is_evicted() {
        let slots = Slots::new(3, PATIENCE);
        let (first, second, third) = (slots.acquire().await, slots.acquire().await, slots.acquire().await);
        // The first slot is protected, and then evictable again.
        first.protect();
        first.make_evictable();
        third.protect();
        let start = Instant::now();
        let next = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.acquire().await }
        });
        second.evicted().await;
        assert!(start.elapsed() + Duration::from_millis(5) >= PATIENCE, "too early: {:?}", start.elapsed());
        drop(second);
        let _next = next.await.unwrap();
        assert!(!is_evicted(&first).await && !is_evicted(&third).await);
    }

    #[tokio::test]
    async fn no_slot_is_evicted_while_one_is_free_or_all_are_protected() {
        let slots = Slots::new(2, Duration::ZERO);
        let (first, second) = (slots.acquire().await, slots.acquire().await);
        assert!(!is_evicted(&first).await && !is_evicted(&second).await);
        first.protect();
        second.protect();
        let next = Arc::clone(&slots);
        let mut next = pin!(next.acquire());
        assert!(timeout(Duration::from_millis(150), &mut next).await.is_err());
        assert!(!is_evicted(&first).await && !is_evicted(&second).await);
        // With no patience, a slot is evicted as soon as it is evictable again.
        second.make_evictable();
        assert!(timeout(Duration::from_millis(50), &mut next).await.is_err());
        assert!(is_evicted(&second).await);
        drop(second);
        drop(timeout(Duration::from_secs(1), &mut next).await.unwrap());
        assert!(!is_evicted(&first).await);
    }
}

//! Keeps the webhooks and sends them to a receiver.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::webhook::{Delivery, Receiver, now};

/// The delays before each attempt to deliver a message. Svix retries for days, but a test has only seconds.
const RETRY_DELAYS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(25),
];

/// How many messages are sent at once. They may overtake each other, as Svix's do.
const MAX_IN_FLIGHT: usize = 8;

pub(crate) struct Dispatcher {
    deliveries: Vec<Delivery>,
    receiver: Option<Receiver>,
    permits: Arc<Semaphore>,
    runtime: Handle,
}

impl Dispatcher {
    pub(crate) fn new(receiver: Option<Receiver>, runtime: Handle) -> Dispatcher {
        Dispatcher { deliveries: Vec::new(), receiver, permits: Arc::new(Semaphore::new(MAX_IN_FLIGHT)), runtime }
    }

    pub(crate) fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    pub(crate) fn clear(&mut self) {
        self.deliveries.clear();
    }

    pub(crate) fn set_receiver(&mut self, receiver: Option<Receiver>) {
        self.receiver = receiver;
    }

    pub(crate) fn dispatch(&mut self, delivery: Delivery) {
        if let Some(receiver) = &self.receiver {
            self.runtime.spawn(deliver(receiver.clone(), Arc::clone(&self.permits), delivery.clone()));
        }
        self.deliveries.push(delivery);
    }
}

/// Sends a message until the receiver accepts it or the attempts are used up. If an answer is lost, the receiver gets
/// the message twice.
async fn deliver(receiver: Receiver, permits: Arc<Semaphore>, mut delivery: Delivery) {
    for delay in RETRY_DELAYS {
        sleep(delay).await;
        let _permit = permits.acquire().await;
        delivery.timestamp = now();
        match receiver.post(&delivery).await {
            Ok(()) => return,
            Err(error) => eprintln!("clerk-sim: {} ({}) was not taken: {error}", delivery.id, delivery.kind),
        }
    }
}

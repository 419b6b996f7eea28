//! Stops requests that wait for their first or next try, and lets those that are on their way come back.

use tokio::sync::watch;

/// Stops all requests that have one of its [`Stop`]s.
pub(crate) struct Stopper(watch::Sender<bool>);

/// What a request looks at while it waits.
#[derive(Clone)]
pub(crate) struct Stop(Option<watch::Receiver<bool>>);

impl Stopper {
    pub(crate) fn new() -> (Stopper, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Stopper(sender), Stop(Some(receiver)))
    }

    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// For requests that nobody stops.
    pub(crate) fn never() -> Stop {
        Stop(None)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0.as_ref().is_some_and(|receiver| *receiver.borrow())
    }

    /// Waits for something; `None` if it was stopped before.
    pub(crate) async fn unless_stopped<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        let Some(receiver) = &mut self.0 else { return Some(wait.await) };
        let stopped = async {
            if receiver.wait_for(|stopped| *stopped).await.is_err() {
                // Nobody is left who could stop it.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = stopped => None,
            result = wait => Some(result),
        }
    }
}

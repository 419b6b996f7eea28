//! Runs requests on a thread of their own, and lets the backend wait for them.
//!
//! One thread per backend, the I/O thread, runs the requests of all its connections. It never calls Postgres and
//! receives no signals. The backend's main thread waits on its latch and on a socket that the I/O thread writes to, so
//! that it is woken by answers from Clerk as well as by a cancel, a timeout or a shutdown.

use std::io::{Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock, mpsc};
use std::task::Poll;
use std::time::{Duration, Instant};

use clerk_api::catalog::Method;
use clerk_api::write::{Outcome, Sending};
use clerk_api::{Client, Fetch, Page, PageStream, Request, Stats};
use pgrx::{check_for_interrupts, pg_sys};
use tokio::runtime::Handle;

use crate::error::FdwError;

/// The runtime of this backend's I/O thread. The thread is started at the first use and ends with the backend.
fn runtime() -> Result<&'static Handle, FdwError> {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    if let Some(handle) = RUNTIME.get() {
        return Ok(handle);
    }
    let handle = start_thread().map_err(FdwError::Thread)?;
    Ok(RUNTIME.get_or_init(|| handle))
}

/// Starts the I/O thread and returns the handle of the runtime that it runs.
fn start_thread() -> std::io::Result<Handle> {
    let (sender, receiver) = mpsc::channel();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => {
                let _ = sender.send(Ok(runtime.handle().clone()));
                runtime.block_on(std::future::pending::<()>());
            }
            Err(error) => {
                let _ = sender.send(Err(error));
            }
        }
    };
    let spawned = {
        let _blocked = BlockedSignals::new();
        std::thread::Builder::new().name("clerk_fdw".to_owned()).spawn(run)
    };
    spawned?;
    receiver.recv().unwrap_or_else(|_| Err(std::io::Error::other("the thread ended")))
}

/// Blocks all signals for the current thread until this is dropped. A thread that is started meanwhile inherits the
/// mask and never receives signals: Postgres' signal handlers must run on the backend's main thread.
struct BlockedSignals {
    previous: libc::sigset_t,
}

impl BlockedSignals {
    fn new() -> Self {
        let (mut all, mut previous) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: sigfillset initializes the set that it is given, and pthread_sigmask writes the old mask to its third
        // argument. They fail only for an invalid pointer or an unknown first argument, and SIG_SETMASK is a known one.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), previous.as_mut_ptr());
            BlockedSignals { previous: previous.assume_init() }
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: pthread_sigmask initialized the mask in `new`, and accepts null where the old mask is not wanted.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.previous, std::ptr::null_mut()) };
    }
}

/// The pages that a fetch receives from Clerk, for the backend to wait for. Dropping it cancels the requests in flight.
pub struct Pages {
    stream: PageStream,
    wakeup: Wakeup,
}

impl Pages {
    /// Starts the requests of a fetch on the I/O thread.
    pub fn start(fetch: Fetch, client: Arc<Client>) -> Result<Self, FdwError> {
        let (wakeup, wake) = Wakeup::new()?;
        let _entered = runtime()?.enter();
        Ok(Pages { stream: PageStream::start(fetch, client, wake), wakeup })
    }

    /// Waits for the next page and returns it; `None` after the last one. A cancel, a timeout or a shutdown interrupts
    /// the wait.
    pub fn next(&mut self) -> Result<Option<Page>, Box<clerk_api::Error>> {
        loop {
            check_for_interrupts!();
            match self.stream.poll_page() {
                Poll::Ready(Some(page)) => return Ok(Some(page?)),
                Poll::Ready(None) => return Ok(None),
                Poll::Pending => self.wakeup.wait(),
            }
        }
    }

    /// What the fetch has cost so far in requests, bytes and time.
    pub fn stats(&self) -> &Stats {
        self.stream.stats()
    }
}

/// Fetches that run beside each other, whose pages the backend waits for together. Dropping it cancels the requests in
/// flight.
pub struct Fetches {
    running: Vec<(FetchId, PageStream)>,
    last: FetchId,
    stats: Arc<Stats>,
    wakeup: Wakeup,
    wake: Arc<dyn Fn() + Send + Sync>,
}

/// Names one fetch among those of a [`Fetches`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FetchId(u64);

impl Fetches {
    pub fn new() -> Result<Self, FdwError> {
        let (wakeup, wake) = Wakeup::new()?;
        let (running, last, stats) = (Vec::new(), FetchId::default(), Arc::default());
        Ok(Fetches { running, last, stats, wakeup, wake: Arc::new(wake) })
    }

    /// Starts the requests of one more fetch on the I/O thread.
    pub fn start(&mut self, fetch: Fetch, client: Arc<Client>) -> Result<FetchId, FdwError> {
        let _entered = runtime()?.enter();
        let (wake, stats) = (Arc::clone(&self.wake), Arc::clone(&self.stats));
        self.last = FetchId(self.last.0 + 1);
        self.running.push((self.last, PageStream::start_counted(fetch, client, stats, move || wake())));
        Ok(self.last)
    }

    /// Waits until a fetch has another page or has ended, and returns which one, with the page if there is one. A cancel, a
    /// timeout or a shutdown interrupts the wait. At least one fetch must be running.
    pub fn next(&mut self) -> Result<(FetchId, Option<Page>), Box<clerk_api::Error>> {
        loop {
            check_for_interrupts!();
            for index in 0..self.running.len() {
                let (id, stream) = &mut self.running[index];
                let id = *id;
                match stream.poll_page() {
                    Poll::Ready(Some(page)) => return Ok((id, Some(page?))),
                    Poll::Ready(None) => {
                        self.running.remove(index);
                        return Ok((id, None));
                    }
                    Poll::Pending => {}
                }
            }
            self.wakeup.wait();
        }
    }

    /// What all fetches have cost so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// Sends requests that change something, several beside each other, and waits until what became of each is known. After
/// the first that fails, no other is started, unless Clerk has refused it and `goes_on` is set.
///
/// A cancel, a timeout or a shutdown starts no other request either. It waits for those on their way that change
/// something, because whether Clerk did what they ask for is only known from their answers, but not for long. The caller has to check for
/// interrupts when it has noted the outcomes.
pub fn send(
    requests: Vec<Request>,
    client: &Arc<Client>,
    goes_on: bool,
    stats: impl FnOnce(&Stats),
) -> Result<Vec<Outcome>, FdwError> {
    /// How long a cancel waits for answers at most.
    const GRACE: Duration = Duration::from_secs(5);
    let changes = requests.iter().any(|request| request.method() != Method::Get);
    let grace = if changes { GRACE } else { Duration::ZERO };
    let (mut wakeup, wake) = Wakeup::new()?;
    let sending = {
        let _entered = runtime()?.enter();
        Sending::start(requests, Arc::clone(client), goes_on, wake)
    };
    let mut deadline = None;
    while !sending.is_finished() {
        if !changes {
            check_for_interrupts!();
        }
        process_barriers();
        if is_interrupted() {
            sending.stop();
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + grace);
            if Instant::now() >= deadline {
                break;
            }
        }
        wakeup.wait();
    }
    stats(sending.stats());
    Ok(sending.take_outcomes())
}

/// Whether the statement is to be cancelled, or the backend to end.
fn is_interrupted() -> bool {
    // SAFETY: these are flags of this backend that signal handlers set; they are only read.
    unsafe {
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        let has_timed_out = pg_sys::TransactionTimeoutPending != 0;
        #[cfg(not(any(feature = "pg17", feature = "pg18")))]
        let has_timed_out = false;
        pg_sys::QueryCancelPending != 0 || pg_sys::ProcDiePending != 0 || has_timed_out
    }
}

/// Answers other backends that wait until every backend has seen something, as DROP DATABASE does.
fn process_barriers() {
    // SAFETY: this runs on the backend's main thread. ProcessProcSignalBarrier does nothing that depends on what the backend
    // is waiting for.
    unsafe {
        if pg_sys::ProcSignalBarrierPending != 0 {
            pg_sys::ProcessProcSignalBarrier();
        }
    }
}

/// How the I/O thread wakes the backend: a socket that becomes readable when there is something for it.
struct Wakeup(UnixStream);

impl Wakeup {
    /// The socket, and what the I/O thread calls to wake the backend.
    fn new() -> Result<(Wakeup, impl Fn() + Send + Sync + 'static), FdwError> {
        let (wakeup, sender) = UnixStream::pair().map_err(FdwError::Thread)?;
        wakeup.set_nonblocking(true).map_err(FdwError::Thread)?;
        sender.set_nonblocking(true).map_err(FdwError::Thread)?;
        let wake = move || {
            // An error does no harm: a full socket is readable already, and at a closed one nobody waits.
            let _ = (&sender).write(&[0]);
        };
        Ok((Wakeup(wakeup), wake))
    }

    /// Waits until the I/O thread has something for the backend, or Postgres wakes it.
    fn wait(&mut self) {
        // The latch is set for every interrupt of Postgres. The timeout is a safety net in case a wakeup is lost: short
        // enough that a cancel still seems immediate, and long enough that waking costs nothing.
        const TIMEOUT_MS: std::ffi::c_long = 200;
        let events =
            pg_sys::WL_LATCH_SET | pg_sys::WL_SOCKET_READABLE | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
        // SAFETY: this runs on the backend's main thread, whose latch MyLatch is. `self` keeps the socket open during
        // the wait.
        unsafe {
            let events = pg_sys::WaitLatchOrSocket(
                pg_sys::MyLatch,
                events as i32,
                self.0.as_raw_fd(),
                TIMEOUT_MS,
                pg_sys::PG_WAIT_EXTENSION,
            );
            if events as u32 & pg_sys::WL_LATCH_SET != 0 {
                pg_sys::ResetLatch(pg_sys::MyLatch);
            }
        }
        // The bytes themselves say nothing; they only have to be removed so that the socket is not readable any more.
        // What the I/O thread has received is asked of the stream.
        while matches!(self.0.read(&mut [0; 64]), Ok(read) if read > 0) {}
    }
}

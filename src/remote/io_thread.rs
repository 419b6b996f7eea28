//! Where requests run, and how the backend waits for them.
//!
//! One thread per backend runs all requests of all its connections. It never calls Postgres and receives no
//! signals. The backend's own thread waits on its latch and on a socket that the other writes to, so that it wakes
//! for news from Clerk as well as for a cancel, a timeout or a shutdown.

use std::io::{Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock, mpsc};
use std::task::Poll;

use clerk_api::{Client, Fetch, Page, PageStream, Stats};
use pgrx::{check_for_interrupts, pg_sys};
use tokio::runtime::Handle;

use crate::error::FdwError;

/// The runtime of this backend's I/O thread, which starts with the first use and ends with the backend.
fn runtime() -> Result<&'static Handle, FdwError> {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    if let Some(handle) = RUNTIME.get() {
        return Ok(handle);
    }
    let handle = start().map_err(FdwError::Thread)?;
    Ok(RUNTIME.get_or_init(|| handle))
}

fn start() -> std::io::Result<Handle> {
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
    let started = {
        let _blocked = BlockedSignals::new();
        std::thread::Builder::new().name("clerk_fdw".to_owned()).spawn(run)
    };
    started?;
    receiver.recv().unwrap_or_else(|_| Err(std::io::Error::other("the thread ended")))
}

/// While it lives, this thread receives no signals; threads that it starts never will.
///
/// Postgres expects its signal handlers to run on its own thread.
struct BlockedSignals {
    before: libc::sigset_t,
}

impl BlockedSignals {
    fn new() -> Self {
        let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: sigfillset initializes the set it is given, pthread_sigmask the one it puts the old mask in; with
        // these arguments neither can fail.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            BlockedSignals { before: before.assume_init() }
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the mask is the one that pthread_sigmask gave.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut()) };
    }
}

/// Pages on their way from Clerk to the backend.
pub struct Pages {
    stream: PageStream,
    news: UnixStream,
}

impl Pages {
    /// Starts reading.
    pub fn start(fetch: Fetch, client: Arc<Client>) -> Result<Self, FdwError> {
        let (news, sender) = UnixStream::pair().map_err(FdwError::Thread)?;
        news.set_nonblocking(true).map_err(FdwError::Thread)?;
        sender.set_nonblocking(true).map_err(FdwError::Thread)?;
        let wake = move || {
            // A full socket wakes as well, and a closed one has nobody to wake.
            let _ = (&sender).write(&[0]);
        };
        let _entered = runtime()?.enter();
        Ok(Pages { stream: PageStream::start(fetch, client, wake), news })
    }

    /// The next page; waits for it, interruptibly. `None` after the last one.
    pub fn next(&mut self) -> Result<Option<Page>, Box<clerk_api::Error>> {
        loop {
            check_for_interrupts!();
            match self.stream.poll_page() {
                Poll::Ready(Some(page)) => return Ok(Some(page?)),
                Poll::Ready(None) => return Ok(None),
                Poll::Pending => self.wait(),
            }
        }
    }

    /// What the reading has cost so far.
    pub fn stats(&self) -> &Stats {
        self.stream.stats()
    }

    /// Until there is news from Clerk or from Postgres.
    fn wait(&mut self) {
        // The latch wakes for whatever Postgres wants; the time is only there in case it does not.
        const MILLISECONDS: std::ffi::c_long = 200;
        let events =
            pg_sys::WL_LATCH_SET | pg_sys::WL_SOCKET_READABLE | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
        // SAFETY: this is the backend's own thread; the latch is its own and the socket is open.
        unsafe {
            let woken = pg_sys::WaitLatchOrSocket(
                pg_sys::MyLatch,
                events as i32,
                self.news.as_raw_fd(),
                MILLISECONDS,
                pg_sys::PG_WAIT_EXTENSION,
            );
            if woken as u32 & pg_sys::WL_LATCH_SET != 0 {
                pg_sys::ResetLatch(pg_sys::MyLatch);
            }
        }
        // What the other side wrote has done its work; the reader tells what it was about.
        while matches!(self.news.read(&mut [0; 64]), Ok(read) if read > 0) {}
    }
}

//! A Clerk that runs on this machine.

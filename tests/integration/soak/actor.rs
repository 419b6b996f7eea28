//! Who acts on a connection, and gets another one where it is lost.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::journal::Met;
use super::scene::{Lasting, Phase, Scene};

use crate::support::*;

pub struct Actor<'a> {
    pub scene: &'a Scene<'a>,
    pub random: Rng,
    address: &'a Address,
    /// The name of a connection that is not terminated while it is calm.
    lasting: Option<&'static str>,
    session: Option<Session>,
    measured: Option<Instant>,
    operations: u32,
}

impl<'a> Actor<'a> {
    pub fn new(scene: &'a Scene<'a>, address: &'a Address, name: &str, number: u64) -> Actor<'a> {
        let random = scene.random(name, number);
        Actor { scene, random, address, lasting: None, session: None, measured: None, operations: 0 }
    }

    /// Whose backend's memory is watched.
    pub fn lasting(scene: &'a Scene<'a>, address: &'a Address, name: &'static str) -> Actor<'a> {
        Actor { lasting: Some(name), ..Actor::new(scene, address, name, 0) }
    }

    /// Acts until it is over, with pauses of up to so many milliseconds.
    pub fn repeat(mut self, pause: u64, mut act: impl FnMut(&mut Actor<'a>)) {
        while !self.scene.is_over() {
            act(&mut self);
            self.report_memory();
            self.scene.pause(&mut self.random, pause);
        }
    }

    /// Does one thing, and notes how it ended.
    pub fn act<R>(
        &mut self,
        what: &'static str,
        operation: impl FnOnce(&Session) -> Result<R, postgres::Error>,
    ) -> Option<R> {
        self.try_act(what, operation)?.ok()
    }

    /// The same, for whoever wants to know the error. None if there is no connection.
    pub fn try_act<R>(
        &mut self,
        what: &'static str,
        operation: impl FnOnce(&Session) -> Result<R, postgres::Error>,
    ) -> Option<Result<R, Met>> {
        self.operations += 1;
        let session = self.connected()?;
        let result = operation(session);
        let phase = self.scene.phase();
        let result = match result {
            Ok(result) => {
                self.scene.journal.done(what);
                Ok(result)
            }
            Err(error) => {
                let met = Met::from(&error);
                self.scene.journal.failed(what, phase, &met);
                self.settle();
                Err(met)
            }
        };
        Some(result)
    }

    /// The notices since this was last asked; none if the connection is lost, and with it what it said.
    pub fn notices(&self) -> Option<Vec<String>> {
        self.session.as_ref().map(Session::notices)
    }

    /// Gives the connection up, whatever runs on it.
    pub fn leave(&mut self) {
        self.session = None;
    }

    fn connected(&mut self) -> Option<&Session> {
        if self.session.is_none() {
            match self.address.try_connect() {
                Ok(session) => {
                    if let Some(name) = self.lasting {
                        let rows = session.client().query("SELECT pg_backend_pid()", &[]);
                        if let Ok(rows) = rows {
                            self.scene
                                .lasting
                                .lock()
                                .unwrap()
                                .insert(name, Lasting { pid: rows[0].get(0), contexts: 0, operations: 0 });
                        }
                    }
                    self.session = Some(session);
                }
                Err(error) => {
                    let phase = self.scene.phase();
                    // After a storm, the server may still come up.
                    if phase != Phase::Over {
                        let met = Met { state: "connect".to_owned(), message: format!("{error:?}") };
                        self.scene.journal.failed("connect", phase, &met);
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
        }
        self.session.as_ref()
    }

    /// Ends what an error left open. A cancel that came late may hit this as well.
    fn settle(&mut self) {
        for _ in 0..5 {
            let Some(session) = &self.session else { return };
            let settled = session.client().batch_execute("ROLLBACK");
            match settled {
                Ok(()) => return,
                Err(error) if error.as_db_error().is_some() && !session.client().is_closed() => {}
                Err(_) => self.session = None,
            }
        }
        self.session = None;
    }

    /// Tells from time to time how much memory a lasting backend has.
    fn report_memory(&mut self) {
        let Some(name) = self.lasting else { return };
        if self.measured.is_some_and(|at| at.elapsed() < Duration::from_secs(2)) {
            return;
        }
        self.measured = Some(Instant::now());
        let query = "SELECT pg_backend_pid(), (SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts)";
        if let Some(rows) = self.act("measure", |session| session.client().query(query, &[])) {
            let (pid, contexts) = (rows[0].get(0), rows[0].get(1));
            let lasting = Lasting { pid, contexts, operations: self.operations };
            self.scene.lasting.lock().unwrap().insert(name, lasting);
        }
    }
}

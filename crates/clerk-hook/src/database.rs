//! Calls `clerk_fdw.receive_webhook` in the database.

use std::num::NonZeroUsize;
use std::time::Duration;

use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::failure::Failure;
use crate::tls;

/// How long the request to cancel a statement may take. It runs in the background, and no delivery waits for it.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// The parts of a delivery that the function needs, as received.
pub(crate) struct Delivery {
    pub body: String,
    pub id: String,
    pub timestamp: String,
    pub signature: String,
}

/// A pool of connections, which are opened when they are needed.
pub(crate) struct Database {
    pool: Pool,
    tls: MakeRustlsConnect,
}

impl Database {
    pub(crate) fn new(config: tokio_postgres::Config, max: NonZeroUsize) -> Self {
        let tls = tls::connector();
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, tls.clone(), recycling);
        let pool = Pool::builder(manager).max_size(max.get()).build().expect("a pool without timeouts needs nothing");
        Database { pool, tls }
    }

    /// Hands a delivery over. When this returns the function's answer, its changes are committed.
    pub(crate) async fn receive(
        &self,
        mirror: &str,
        delivery: &Delivery,
        deadline: Instant,
    ) -> Result<String, Failure> {
        let Delivery { body, id, timestamp, signature } = delivery;
        let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
            (&mirror, Type::TEXT),
            (body, Type::TEXT),
            (id, Type::TEXT),
            (timestamp, Type::TEXT),
            (signature, Type::TEXT),
        ];
        let row = self.query("SELECT clerk_fdw.receive_webhook($1, $2, $3, $4, $5)", &parameters, deadline).await?;
        match row.try_get::<_, String>(0) {
            // The delivery is stored, but not applied. An error makes the sender retry.
            Ok(answer) if answer == "failed" => Err(Failure::Failed("see clerk_fdw.webhook_events".to_owned())),
            Ok(answer) => Ok(answer),
            Err(error) => Err(Failure::Failed(format!("receive_webhook answered with no text: {error}"))),
        }
    }

    /// Whether the database answers.
    pub(crate) async fn ready(&self, deadline: Instant) -> Result<(), Failure> {
        self.query("SELECT 1", &[], deadline).await.map(drop)
    }

    /// Runs a statement in a transaction of its own. The statement is not prepared, so that a connection pooler may run
    /// every statement on another connection to the database.
    async fn query(
        &self,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
        deadline: Instant,
    ) -> Result<Row, Failure> {
        let client = timeout_at(deadline, self.pool.get())
            .await
            .map_err(|_| Failure::Timeout)?
            .map_err(|error| Failure::of_connection(&error))?;
        match timeout_at(deadline, client.query_typed_one(sql, parameters)).await {
            Ok(answer) => answer.map_err(|error| Failure::of_statement(&error)),
            Err(_) => {
                self.cancel(client);
                Err(Failure::Timeout)
            }
        }
    }

    /// Cancels a statement that took too long and closes its connection, so that the next delivery does not wait for
    /// them.
    fn cancel(&self, client: Client) {
        let statement = client.cancel_token();
        drop(Client::take(client));
        let tls = self.tls.clone();
        tokio::spawn(async move { timeout(CANCEL_TIMEOUT, statement.cancel_query(tls)).await });
    }
}

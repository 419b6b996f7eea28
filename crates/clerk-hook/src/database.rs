//! The way to `clerk_fdw.receive_webhook` and back.

use std::num::NonZeroUsize;
use std::time::Duration;

use deadpool_postgres::{Client, Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::failure::Failure;
use crate::tls;

/// How long the request to cancel a statement may take; nobody waits for it.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// A delivery as it arrived.
pub(crate) struct Delivery {
    pub body: String,
    pub id: String,
    pub timestamp: String,
    pub signature: String,
}

/// A pool of connections, made as they are needed.
pub(crate) struct Database {
    pool: Pool,
    tls: MakeRustlsConnect,
}

impl Database {
    pub(crate) fn new(config: tokio_postgres::Config, most: NonZeroUsize) -> Self {
        let tls = tls::connector();
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, tls.clone(), recycling);
        let pool = Pool::builder(manager).max_size(most.get()).build().expect("a pool without timeouts needs nothing");
        Database { pool, tls }
    }

    /// Hands a delivery over. What the function did is committed when this returns its answer.
    pub(crate) async fn receive(&self, mirror: &str, delivery: &Delivery, by: Instant) -> Result<String, Failure> {
        let Delivery { body, id, timestamp, signature } = delivery;
        let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
            (&mirror, Type::TEXT),
            (body, Type::TEXT),
            (id, Type::TEXT),
            (timestamp, Type::TEXT),
            (signature, Type::TEXT),
        ];
        let row = self.ask("SELECT clerk_fdw.receive_webhook($1, $2, $3, $4, $5)", &parameters, by).await?;
        match row.try_get::<_, String>(0) {
            // It is stored, but not applied: the sender is to come again.
            Ok(answer) if answer == "failed" => Err(Failure::Failed("see clerk_fdw.webhook_events".to_owned())),
            Ok(answer) => Ok(answer),
            Err(error) => Err(Failure::Failed(format!("receive_webhook answered with no text: {error}"))),
        }
    }

    /// Whether the database answers.
    pub(crate) async fn ready(&self, by: Instant) -> Result<(), Failure> {
        self.ask("SELECT 1", &[], by).await.map(drop)
    }

    /// Runs a statement in a transaction of its own. It is sent at once, not prepared, so that a pooler between here
    /// and the database may give every statement another connection.
    async fn ask(&self, sql: &str, parameters: &[(&(dyn ToSql + Sync), Type)], by: Instant) -> Result<Row, Failure> {
        let client = timeout_at(by, self.pool.get())
            .await
            .map_err(|_| Failure::Timeout)?
            .map_err(|error| Failure::of_connection(&error))?;
        match timeout_at(by, client.query_typed_one(sql, parameters)).await {
            Ok(answer) => answer.map_err(|error| Failure::of_statement(&error)),
            Err(_) => {
                self.abandon(client);
                Err(Failure::Timeout)
            }
        }
    }

    /// Ends a statement that took too long, and its connection, so that neither is in the way of the next delivery.
    fn abandon(&self, client: Client) {
        let statement = client.cancel_token();
        drop(Client::take(client));
        let tls = self.tls.clone();
        tokio::spawn(async move { timeout(CANCEL_TIMEOUT, statement.cancel_query(tls)).await });
    }
}

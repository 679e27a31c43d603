//! The databases that a run creates on a PostgreSQL server, and drops.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::Url;
use tokio_postgres::{Client, NoTls};

type Failure = Box<dyn std::error::Error>;

/// The number of databases that this process created.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The databases of a run.
pub(crate) struct Databases {
    /// The database that was given. Only connections to the created ones are measured.
    given: Url,
    pub(crate) client: Client,
    names: Mutex<Vec<String>>,
}

impl Databases {
    pub(crate) async fn at(given: &Url) -> Result<Self, Failure> {
        Ok(Self { given: given.clone(), client: connect(given).await?, names: Mutex::default() })
    }

    /// Creates a database and returns its address.
    pub(crate) async fn create(&self) -> Result<Url, Failure> {
        let name = {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            // A run may use two PostgreSQL servers, or one for two servers under test.
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("quarterdeck_bench_{}_{number}", std::process::id());
            names.push(name.clone());
            name
        };
        self.client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        let mut created = self.given.clone();
        created.set_path(&name);
        Ok(created)
    }

    /// Drops the databases that were created, and ends the connections to them.
    pub(crate) async fn drop_all(&self) -> Result<(), Failure> {
        let names = std::mem::take(&mut *self.names.lock().unwrap_or_else(PoisonError::into_inner));
        for name in names {
            self.client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        }
        Ok(())
    }
}

/// The time limit for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Connects to a database.
pub(crate) async fn connect(database: &Url) -> Result<Client, Failure> {
    let connecting = tokio_postgres::connect(database.as_str(), NoTls);
    let connected = tokio::time::timeout(CONNECT_LIMIT, connecting).await;
    let (client, connection) = connected.map_err(|_| "the PostgreSQL server does not answer")??;
    tokio::spawn(connection);
    Ok(client)
}

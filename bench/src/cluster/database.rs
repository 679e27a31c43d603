//! The databases of a run, and the PostgreSQL that has them.

use std::sync::{Mutex, PoisonError};

use reqwest::Url;
use tokio_postgres::{Client, NoTls};

type Failure = Box<dyn std::error::Error>;

/// A process of PostgreSQL.
pub(super) struct ServerProcess {
    pub(super) pid: u32,
    /// True for the process of a connection to the database; false for one that works for all databases.
    pub(super) is_session: bool,
}

/// The databases that the run creates and drops.
pub(super) struct Databases {
    /// The database that was given. Only connections to the created ones are measured.
    given: Url,
    client: Client,
    names: Mutex<Vec<String>>,
}

impl Databases {
    pub(super) async fn at(given: &Url) -> Result<Self, Failure> {
        Ok(Self { given: given.clone(), client: connect(given).await?, names: Mutex::default() })
    }

    /// Creates a database and returns its address.
    pub(super) async fn create(&self) -> Result<Url, Failure> {
        let name = format!("quarterdeck_bench_{}", std::process::id());
        self.names.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        self.client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        let mut created = self.given.clone();
        created.set_path(&name);
        Ok(created)
    }

    /// Drops the databases that were created, and ends the connections to them.
    pub(super) async fn drop_all(&self) -> Result<(), Failure> {
        let names = std::mem::take(&mut *self.names.lock().unwrap_or_else(PoisonError::into_inner));
        for name in names {
            self.client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        }
        Ok(())
    }

    /// Returns the number of transactions that ended in a database so far.
    pub(super) async fn transactions(&self, database: &Url) -> Result<u64, Failure> {
        let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1";
        let count: i64 = self.client.query_one(sql, &[&name(database)]).await?.get(0);
        Ok(u64::try_from(count)?)
    }

    /// Returns the processes of a database's connections, and those that work for all databases.
    pub(super) async fn processes(&self, database: &Url) -> Result<Vec<ServerProcess>, Failure> {
        let sql = "SELECT pid, datname IS NOT NULL FROM pg_stat_activity WHERE datname = $1 OR datname IS NULL";
        let rows = self.client.query(sql, &[&name(database)]).await?;
        rows.iter()
            .map(|row| Ok(ServerProcess { pid: u32::try_from(row.get::<_, i32>(0))?, is_session: row.get(1) }))
            .collect()
    }
}

fn name(database: &Url) -> &str {
    database.path().trim_start_matches('/')
}

/// Connects to a database.
async fn connect(database: &Url) -> Result<Client, Failure> {
    let (client, connection) = tokio_postgres::connect(database.as_str(), NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_database_is_the_path_of_its_address() {
        let database = Url::parse("postgres://user@127.0.0.1:5432/chat?sslmode=disable").unwrap();
        assert_eq!(name(&database), "chat");
    }
}

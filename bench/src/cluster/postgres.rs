//! The work of PostgreSQL for a database of the run.

use reqwest::Url;

use crate::database::Databases;

type Failure = Box<dyn std::error::Error>;

/// A process of PostgreSQL.
pub(super) struct ServerProcess {
    pub(super) pid: u32,
    /// True for the process of a connection to the database; false for one that works for all databases.
    pub(super) is_session: bool,
}

impl Databases {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_database_is_the_path_of_its_address() {
        let database = Url::parse("postgres://user@127.0.0.1:5432/chat?sslmode=disable").unwrap();
        assert_eq!(name(&database), "chat");
    }
}

//! Access to the database of a server, without the server.

use super::{TestServer, database};

impl TestServer {
    /// Returns the data source of the server, for a client without TLS.
    pub fn data_source(&self) -> String {
        self.server.config().current().view.sql.data_source.replace("sslmode=disable&", "")
    }

    /// Runs statements on the server's database.
    pub async fn execute(&self, sql: &str) {
        let config = self.server.config().current();
        let settings = &config.view.sql;
        match settings.driver_name.as_str() {
            "postgres" => database::execute(&self.data_source(), sql).await,
            _ => rusqlite::Connection::open(&settings.data_source).unwrap().execute_batch(sql).unwrap(),
        }
    }

    /// Returns the first column of a query's result on PostgreSQL.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        database::texts(&self.data_source(), sql).await
    }
}

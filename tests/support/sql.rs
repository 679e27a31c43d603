//! The database of a server, from behind its back.

use super::{TestServer, database};

impl TestServer {
    /// Runs statements on the server's own database.
    pub async fn execute(&self, sql: &str) {
        let config = self.server.config().current();
        let settings = &config.view.sql;
        match settings.driver_name.as_str() {
            "postgres" => database::execute(&settings.data_source.replace("sslmode=disable&", ""), sql).await,
            _ => rusqlite::Connection::open(&settings.data_source).unwrap().execute_batch(sql).unwrap(),
        }
    }
}

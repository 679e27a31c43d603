//! The database of a server, from behind its back.

use super::{TestServer, database};

impl TestServer {
    /// The data source of the server, as a client without TLS takes it.
    pub fn data_source(&self) -> String {
        self.server.config().current().view.sql.data_source.replace("sslmode=disable&", "")
    }

    /// Runs statements on the server's own database.
    pub async fn execute(&self, sql: &str) {
        let config = self.server.config().current();
        let settings = &config.view.sql;
        match settings.driver_name.as_str() {
            "postgres" => database::execute(&self.data_source(), sql).await,
            _ => rusqlite::Connection::open(&settings.data_source).unwrap().execute_batch(sql).unwrap(),
        }
    }
}

//! Several servers on one PostgreSQL are nodes of one cluster.

mod events;
mod limits;
mod logs;
mod membership;
mod pace;
mod pool;
mod restarts;
mod resume;
mod rights;
mod socket_rows;
mod stores;
mod versions;

use crate::support::{Client, TestServer};

/// The reason why most of these tests need PostgreSQL.
const REASON: &str = "servers share no embedded database";

/// Two servers on one database, and an administrator who is logged in at the first one.
struct Pair {
    one: TestServer,
    other: TestServer,
    admin: Client,
}

impl Pair {
    /// Starts both without statuses, so that no status events come between the events of a test.
    async fn start() -> Self {
        let settings = "[ServiceSettings]\nEnableUserStatuses = false\nEnableUserAccessTokens = true\n";
        let one = TestServer::start_with(settings).await;
        let admin = one.admin().await;
        let other = one.start_beside(settings).await;
        Self { one, other, admin }
    }

    /// Returns the same client at the other server.
    fn at_other(&self, client: &Client) -> Client {
        client.at(&self.other.base)
    }

    /// Runs a statement on the database of both.
    async fn execute(&self, sql: &str) {
        self.one.execute(sql).await;
    }
}

//! Several servers on one PostgreSQL are nodes of one cluster.

mod administrators;
mod busy;
mod events;
mod figures;
mod limits;
mod logs;
mod membership;
mod on_redis;
mod pace;
mod pool;
mod restarts;
mod resume;
mod rights;
mod rows;
mod socket_rows;
mod stores;
mod unheard;
mod upgrades;
mod versions;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::stall::{Taken, measured};
use crate::support::{Client, TestServer, database, redis};

/// The reason why most of these tests need PostgreSQL.
const REASON: &str = "servers share no embedded database";

/// The bus of servers.
trait Bus: Sized {
    /// Starts it; `None` in a run without it.
    fn start() -> Option<Self>;
    /// Returns the settings with which servers use it.
    fn settings(&self) -> String;
    /// Waits until the events of a client are on it, and all servers have applied them.
    async fn until_used(&self, server: &TestServer, client: &Client);
    /// Returns the ids and the texts of the entries outside of the database.
    fn entries(&self) -> BTreeMap<String, String>;

    /// Returns the bodies of all messages of a kind, in their order.
    async fn published(&self, server: &TestServer, kind: &str) -> Vec<String> {
        let rows = "SELECT kind || ' ' || body FROM qd_events";
        let sql = format!("{rows} WHERE kind IN ('redis', '{kind}') ORDER BY position");
        redis::published(&server.texts(&sql).await, &self.entries(), kind)
    }
}

/// The bus in the database.
struct InDatabase;

impl Bus for InDatabase {
    fn start() -> Option<Self> {
        Some(Self)
    }

    fn settings(&self) -> String {
        String::new()
    }

    async fn until_used(&self, _: &TestServer, _: &Client) {}

    fn entries(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

/// The bus of the tests that run on each bus.
type OwnBus = InDatabase;

type Pair = PairOn<OwnBus>;

/// Two servers on one database, and an administrator who is logged in at the first one.
struct PairOn<B> {
    one: TestServer,
    other: TestServer,
    admin: Client,
    settings: String,
    bus: B,
}

impl<B: Bus> PairOn<B> {
    /// Starts both without statuses, so that no status events come between the events of a test. `None` in a run without
    /// `PostgreSQL` or the bus.
    async fn start() -> Option<Self> {
        let bus = Self::bus()?;
        let settings = "[ServiceSettings]\nEnableUserStatuses = false\nEnableUserAccessTokens = true\n".to_owned();
        let settings = settings + &bus.settings();
        let one = TestServer::start_with(&settings).await;
        let admin = one.admin().await;
        let other = one.start_beside(&settings).await;
        bus.until_used(&one, &admin).await;
        Some(Self { one, other, admin, settings, bus })
    }

    /// Starts the bus alone.
    fn bus() -> Option<B> {
        database::only_postgres(REASON)?;
        B::start()
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

/// The number of times that each change is made.
const ROUNDS: usize = 3;

/// The times from the response to a change until it was in force on another server, by change.
#[derive(Default)]
struct Delays(BTreeMap<String, Vec<Taken>>);

impl Delays {
    /// Waits until a change is in force, and notes the time.
    async fn note(&mut self, change: &str, in_force: impl Future<Output = ()>) {
        let taken = measured(in_force).await;
        self.0.entry(change.to_owned()).or_default().push(taken);
    }

    /// Fails unless each change was made in each round, was in force within `limit` in one of them, and was never in force
    /// later than the machine stood still meanwhile.
    fn check(self, limit: Duration) {
        for (change, delays) in self.0 {
            assert_eq!(delays.len(), ROUNDS, "{change}");
            let is_in_time = delays.iter().any(|taken| taken.time < limit);
            let is_never_late = delays.iter().all(|taken| taken.is_within(limit));
            assert!(is_in_time && is_never_late, "{change} was in force after {delays:?}");
        }
    }
}

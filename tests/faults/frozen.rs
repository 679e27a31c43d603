//! Servers on one PostgreSQL, with another server that is frozen in a transaction, or a session that locks a table.

use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use tokio_postgres::NoTls;

use crate::support::server::account;
use crate::support::waiting::until;
use crate::support::{Client, Home, Process, Reply, TestServer, database};

/// The variable with the load in requests a second. The default is low; on a dedicated machine it is 200.
const VARIABLE: &str = "QUARTERDECK_TEST_LOAD";

const REQUESTS_PER_SECOND: usize = 60;

const SECONDS: usize = 4;

/// The number of requests that are sent together.
const BATCH_REQUESTS: usize = 10;

/// Two servers on one database, with an administrator at the second and some accounts.
struct Place {
    base: String,
    settings: String,
    first: Process,
    _second: Process,
    admin: Client,
    accounts: Vec<String>,
    _homes: [Home; 2],
}

/// The outcome of a load: the statuses of each kind of request.
struct Answers {
    reads: Vec<u16>,
    profiles: Vec<u16>,
    preferences: Vec<u16>,
}

#[actix_web::test]
async fn a_server_that_is_frozen_inside_a_transaction_stops_no_other() {
    let Some(place) = Place::start().await else { return };
    let anna = &place.accounts[0];
    let holder = place.session("SELECT id FROM users WHERE username = 'name0' FOR UPDATE").await;
    let frozen = place.first.client().with_token(place.admin.token.as_deref().unwrap());
    let path = format!("/users/{anna}/patch");
    let own_path = path.clone();
    let waiting = actix_web::rt::spawn(async move {
        let patch = json!({ "nickname": "frozen" }).to_string();
        frozen.try_send(reqwest::Method::PUT, &path, Some(patch), &[]).await.map(|reply| reply.status)
    });
    until("the transaction waits for the row", async || holder.blocks_another().await).await;
    place.first.signal(Signal::STOP);
    // The transaction of the frozen server gets the row, and does not continue.
    holder.end().await;

    // PostgreSQL ends the session of the frozen server, so its row is unlocked as well.
    let (answers, (), newcomer) = tokio::join!(
        load(&place.admin, &place.accounts[1..]),
        until("the row is free", async || {
            place.admin.put(&own_path, json!({ "position": "mine" })).await.status == 200
        }),
        async { Home::on_database(&place.settings, "").start().await },
    );
    assert!(answers.reads.iter().chain(&answers.profiles).chain(&answers.preferences).all(|status| *status == 200));
    until("the other server is ready", async || place.admin.get("//readyz").await.status == 200).await;
    newcomer.client().get("/system/ping").await.expect(200);
    place.first.signal(Signal::CONT);
    until("the thawed server is ready", async || place.first.client().get("//readyz").await.status == 200).await;
    // PostgreSQL rolled its transaction back, and it ran again.
    assert_eq!(waiting.await.unwrap().unwrap(), 200);
    let stored = place.admin.get(&format!("/users/{anna}")).await.expect(200);
    assert_eq!((&stored["position"], &stored["nickname"]), (&json!("mine"), &json!("frozen")));
    assert!(newcomer.stop().await.success());
}

#[actix_web::test]
async fn a_transaction_that_waits_stops_no_installation_in_another_schema() {
    let Some(place) = Place::start().await else { return };
    let path = format!("/users/{}/roles", place.accounts[0]);
    let other = TestServer::start().await;
    let other_admin = other.admin().await;
    let holder = place.session("SELECT id FROM users WHERE username = 'name0' FOR UPDATE").await;
    let change = async { place.admin.put(&path, json!({ "roles": "system_user system_admin" })).await.expect_ok() };
    let meanwhile = async {
        until("the change of roles waits for the row", async || holder.blocks_another().await).await;
        other.user(&other_admin, "bert").await;
        assert!(holder.blocks_another().await, "both take the lock of all accounts, each that of its schema");
        holder.end().await;
    };
    tokio::join!(change, meanwhile);
}

#[actix_web::test]
async fn a_locked_table_stops_nothing_but_itself_and_readiness_tells() {
    let Some(place) = Place::start().await else { return };
    let holder = place.session("LOCK TABLE preferences IN EXCLUSIVE MODE").await;
    let (answers, newcomer, ()) = tokio::join!(
        load(&place.admin, &place.accounts),
        async { Home::on_database(&place.settings, "").start().await },
        until("readiness tells", async || place.admin.get("//readyz").await.status == 503),
    );
    assert!(answers.reads.iter().chain(&answers.profiles).all(|status| *status == 200), "{:?}", answers.profiles);
    assert!(answers.preferences.iter().all(|status| *status >= 500), "{:?}", answers.preferences);
    newcomer.client().get("/system/ping").await.expect(200);
    holder.end().await;
    until("the server is ready", async || place.admin.get("//readyz").await.status == 200).await;
    save_preference(&place.admin).await.expect_ok();
    assert!(newcomer.stop().await.success());
}

impl Place {
    /// Returns `None` on the embedded engine.
    async fn start() -> Option<Self> {
        let base = database::only_postgres("a second server on the embedded engine shares no transaction")?;
        let schema = database::fresh_schema(&base).await;
        let settings = database::settings_in(&base, &schema).replace("MaxOpenConns = 4", "MaxOpenConns = 12");
        let homes = [0; 2].map(|_| Home::on_database(&settings, ""));
        let (first, second) = (homes[0].start().await, homes[1].start().await);
        second.client().post("/users", account("admin")).await.expect(201);
        let admin = second.client().log_in("admin").await;
        let mut accounts = Vec::new();
        for number in 0..4 {
            let created = admin.post("/users", account(&format!("name{number}"))).await.expect(201);
            accounts.push(created["id"].as_str().unwrap().to_owned());
        }
        // After this request both servers have the session in their caches.
        first.client().with_token(admin.token.as_deref().unwrap()).get("/users/me").await.expect(200);
        Some(Self {
            base: format!("{base}?options=-c%20search_path%3D{schema}"),
            settings,
            first,
            _second: second,
            admin,
            accounts,
            _homes: homes,
        })
    }

    /// Opens a session that holds a lock until it is ended.
    async fn session(&self, lock: &str) -> Holder {
        let (client, connection) = tokio_postgres::connect(&self.base, NoTls).await.unwrap();
        actix_web::rt::spawn(connection);
        client.batch_execute(&format!("BEGIN; {lock}")).await.unwrap();
        Holder(client)
    }
}

/// A session with a lock.
struct Holder(tokio_postgres::Client);

impl Holder {
    async fn blocks_another(&self) -> bool {
        // Within a transaction PostgreSQL shows the connections as of the first query, until this statement clears the
        // snapshot.
        self.0.batch_execute("SELECT pg_stat_clear_snapshot()").await.unwrap();
        let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))";
        self.0.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) > 0
    }

    async fn end(self) {
        self.0.batch_execute("COMMIT").await.unwrap();
    }
}

/// Sends a steady load: of ten requests, two store preferences, four change profiles of several accounts, and four
/// read.
async fn load(admin: &Client, accounts: &[String]) -> Answers {
    let a_second: usize = std::env::var(VARIABLE).map_or(REQUESTS_PER_SECOND, |text| text.parse().unwrap());
    let mut ticks =
        interval(Duration::from_secs(1) * u32::try_from(BATCH_REQUESTS).unwrap() / u32::try_from(a_second).unwrap());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sent = Vec::new();
    for tick in 0..SECONDS * a_second / BATCH_REQUESTS {
        ticks.tick().await;
        for number in 0..BATCH_REQUESTS {
            let (admin, id) = (admin.clone(), accounts[(tick + number) % accounts.len()].clone());
            sent.push(actix_web::rt::spawn(async move {
                let status = match number {
                    0 | 1 => save_preference(&admin).await.status,
                    2..6 => {
                        let patch = json!({ "nickname": format!("nick {tick}") });
                        admin.put(&format!("/users/{id}/patch"), patch).await.status
                    }
                    _ => admin.get(&format!("/users/{id}")).await.status,
                };
                (number, status)
            }));
        }
    }
    let mut answers = Answers { reads: Vec::new(), profiles: Vec::new(), preferences: Vec::new() };
    for answered in join_all(sent).await {
        let (number, status) = answered.unwrap();
        let kind = match number {
            0 | 1 => &mut answers.preferences,
            2..6 => &mut answers.profiles,
            _ => &mut answers.reads,
        };
        kind.push(status);
    }
    answers
}

async fn save_preference(client: &Client) -> Reply {
    let preference = json!([{ "user_id": client.user_id, "category": "c", "name": "n", "value": "v" }]);
    client.put("/users/me/preferences", preference).await
}

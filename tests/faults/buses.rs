//! The rules of a bus, with events in the database and in Redis.

mod entries;
mod failures;
mod hostile;
mod ids;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use quarterdeck::settings::Sources;
use quarterdeck::store::{Db, PostgresBus, RedisBus};
use quarterdeck_actors::cluster::{Batch, Beat, Bus, NodeFacts, Placed};
use quarterdeck_actors::config::view::View;
use quarterdeck_actors::secret::Secret;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::support::redis::Redis;
use crate::support::server::write_settings;
use crate::support::waiting::until;
use crate::support::{Proxy, backdoor, database};

const REASON: &str = "servers share no embedded database";
const NODES: [&str; 4] = ["one", "two", "three", "four"];

/// The node of batches that show if Redis is used.
const LOOKING: &str = "looking";

/// A database without a server, and a Redis behind a line if events are to be there.
struct Site {
    folder: TempDir,
    view: View,
    db: Db,
    redis: Option<(Redis, Proxy)>,
    /// The number of the last batch whose number the site chose.
    last: Cell<i64>,
}

impl Site {
    async fn start() -> Option<Self> {
        Self::start_on(true).await
    }

    /// Starts a site with events in Redis, or in the database.
    async fn start_on(is_redis: bool) -> Option<Self> {
        database::only_postgres(REASON)?;
        let redis = if is_redis {
            let redis = Redis::start()?;
            let line = Proxy::start(&redis.address());
            Some((redis, line))
        } else {
            None
        };
        let folder = tempfile::tempdir().unwrap();
        let section = database::fresh(folder.path()).await;
        let settings = redis.as_ref().map(|(_, line)| Redis::settings_at(&line.address().to_string()));
        let file = write_settings(folder.path(), &section, &settings.unwrap_or_default());
        let view = Sources::isolated(Some(file), Vec::new()).load().unwrap().config.view.clone();
        let db = Db::new(&view.sql).unwrap();
        db.migrate().await.unwrap();
        Some(Self { folder, view, db, redis, last: Cell::new(0) })
    }

    fn redis(&self) -> &Redis {
        &self.redis.as_ref().unwrap().0
    }

    fn redis_mut(&mut self) -> &mut Redis {
        &mut self.redis.as_mut().unwrap().0
    }

    /// Returns the line of the servers to Redis.
    fn line(&self) -> &Proxy {
        &self.redis.as_ref().unwrap().1
    }

    async fn on_redis(&self) -> Arc<dyn Bus> {
        let installation = Secret::new("a secret of all servers".to_owned());
        RedisBus::new(self.db.clone(), &self.view, &installation).await.unwrap()
    }

    fn in_database(&self) -> Arc<dyn Bus> {
        PostgresBus::new(self.db.clone())
    }

    /// Returns the same bus twice, as two servers have it, once both use Redis if they are to.
    async fn twice(&self) -> [Arc<dyn Bus>; 2] {
        let is_redis = self.redis.is_some();
        let [first, second] = if is_redis {
            [self.on_redis().await, self.on_redis().await]
        } else {
            [self.in_database(), self.in_database()]
        };
        for node in NODES.iter().chain(&[LOOKING]) {
            join(&*first, node).await;
        }
        if is_redis {
            self.both_use_redis(&first, &second).await;
        }
        [first, second]
    }

    async fn both_use_redis(&self, first: &Arc<dyn Bus>, second: &Arc<dyn Bus>) {
        for bus in [first, second] {
            until("events are in Redis", async || self.uses_redis(&**bus).await).await;
        }
    }

    /// Sends heartbeats and publishes a batch. Returns true if it is in Redis.
    async fn uses_redis(&self, bus: &dyn Bus) -> bool {
        beat(bus).await;
        self.publish(bus, LOOKING, &["look"]).await;
        self.last_kind().await == "redis"
    }

    /// Publishes a batch of a node with a number that no batch of this site has.
    async fn publish(&self, bus: &dyn Bus, node: &str, bodies: &[&str]) {
        self.last.set(self.last.get() + 1);
        assert!(bus.publish(batch(node, self.last.get(), bodies)).await.unwrap());
    }

    /// Publishes batches until one is in Redis, which is left alone after a slow answer. Returns the position before it.
    async fn put(&self, bus: &dyn Bus, node: &str, bodies: &[&str]) -> i64 {
        let mut start = 0;
        let is_put = async || {
            beat(bus).await;
            start = position(bus).await;
            self.publish(bus, node, bodies).await;
            self.last_kind().await == "redis"
        };
        until("the batch is in Redis", is_put).await;
        start
    }

    async fn execute(&self, sql: &str) {
        backdoor::execute_in(self.folder.path(), sql).await;
    }

    /// Returns the kinds of the rows in their order.
    async fn kinds(&self) -> Vec<String> {
        backdoor::texts_in(self.folder.path(), "SELECT kind FROM qd_events ORDER BY position").await
    }

    async fn last_kind(&self) -> String {
        self.kinds().await.pop().unwrap()
    }
}

async fn join(bus: &dyn Bus, node: &str) {
    bus.join(NodeFacts { id: node.to_owned(), ..NodeFacts::default() }).await.unwrap();
}

async fn beat(bus: &dyn Bus) {
    for node in NODES.iter().chain(&[LOOKING]) {
        bus.beat(Beat { id: (*node).to_owned(), position: 0, config_hash: String::new() }).await.unwrap();
    }
}

fn batch(node: &str, number: i64, bodies: &[&str]) -> Batch {
    let messages = bodies.iter().map(|body| ("event", (*body).to_owned())).collect();
    Batch { node_id: node.to_owned(), number, messages }
}

async fn position(bus: &dyn Bus) -> i64 {
    bus.end().await.unwrap().place.position
}

/// Returns all messages after a position, whose positions follow each other, without the empty ones before ranges.
async fn after(bus: &dyn Bus, start: i64) -> Vec<Placed> {
    let end = position(bus).await;
    let mut found: Vec<Placed> = Vec::new();
    let is_read = async || {
        let last = found.last().map_or(start, |last| last.place.position);
        found.extend(read(bus, last).await.into_iter().filter(|placed| placed.place.position > last));
        found.last().map_or(start, |last| last.place.position) >= end
    };
    until("all is read", is_read).await;
    let positions: Vec<i64> = found.iter().map(|placed| placed.place.position).collect();
    assert_eq!(positions, (start + 1..=end).collect::<Vec<_>>());
    found.retain(is_content);
    found
}

/// Returns the messages from a position on. A Redis that answers late is asked again.
async fn read(bus: &dyn Bus, from: i64) -> Vec<Placed> {
    let mut found = Vec::new();
    let is_read = async || bus.read(from).await.map(|read| found = read).is_ok();
    until("messages are read", is_read).await;
    found
}

fn is_content(placed: &Placed) -> bool {
    (placed.kind.as_str(), placed.body.as_str()) != ("admitted", "")
}

async fn bodies_after(bus: &dyn Bus, start: i64) -> Vec<String> {
    after(bus, start).await.into_iter().map(|placed| placed.body).collect()
}

#[actix_web::test]
async fn messages_have_one_order_without_gaps_and_those_of_transactions_come_first() {
    for is_redis in [false, true] {
        let Some(site) = Site::start_on(is_redis).await else { return };
        let [one, other] = site.twice().await;
        let start = one.end().await.unwrap();
        assert!(!start.is_waiting);
        one.publish(batch("one", 1, &["a", "b"])).await.unwrap();
        site.execute("INSERT INTO qd_outbox (node, kind, body) VALUES ('', 'users', 'c'), ('two', 'members', 'd')")
            .await;
        assert!(other.end().await.unwrap().is_waiting);
        other.publish(batch("two", 1, &["e"])).await.unwrap();
        let found = after(&*one, start.place.position).await;
        assert_eq!(found, after(&*other, start.place.position).await);
        let parts: Vec<[&str; 3]> =
            found.iter().map(|Placed { node_id, kind, body, .. }| [node_id, kind, body].map(String::as_str)).collect();
        let of_transactions = [["", "users", "c"], ["two", "members", "d"]];
        assert_eq!(parts[..2], [["one", "event", "a"], ["one", "event", "b"]]);
        assert_eq!((&parts[2..4], parts[4]), (&of_transactions[..], ["two", "event", "e"]));
        assert_eq!(one.end().await.unwrap().place, found[4].place);
        // A reader may have applied a part of a batch.
        let mut again = read(&*one, found[0].place.position).await;
        again.retain(is_content);
        assert_eq!(again, found);
    }
}

#[actix_web::test]
async fn a_batch_is_published_once_and_by_members_only() {
    for is_redis in [false, true] {
        let Some(site) = Site::start_on(is_redis).await else { return };
        let [one, other] = site.twice().await;
        let start = position(&*one).await;
        for (bus, number, body) in [(&one, 3, "a"), (&other, 3, "again"), (&one, 2, "earlier"), (&one, 4, "b")] {
            assert!(bus.publish(batch("three", number, &[body])).await.unwrap());
        }
        one.leave("three".to_owned()).await.unwrap();
        assert!(!one.publish(batch("three", 5, &["of one that left"])).await.unwrap());
        join(&*one, "three").await;
        assert!(one.publish(batch("three", 4, &["again"])).await.unwrap());
        assert_eq!(bodies_after(&*other, start).await, ["a", "b"]);
    }
}

#[actix_web::test]
async fn many_at_once_leave_no_gap() {
    const BATCHES: i64 = 20;
    for is_redis in [false, true] {
        let Some(site) = Site::start_on(is_redis).await else { return };
        let buses = site.twice().await;
        let start = position(&*buses[0]).await;
        let publish = async |at: usize| {
            let bus = &buses[at % 2];
            for number in 1..=BATCHES {
                bus.publish(batch(NODES[at], 100 + number, &["x", "y"])).await.unwrap();
                site.execute("INSERT INTO qd_outbox (node, kind, body) VALUES ('', 'users', 'row')").await;
                bus.place().await.unwrap();
            }
        };
        join_all((0..NODES.len()).map(publish)).await;
        let bodies = bodies_after(&*buses[0], start).await;
        let count = |body: &str| bodies.iter().filter(|found| *found == body).count();
        assert_eq!([count("x"), count("y"), count("row")], [80, 80, 80], "is on Redis: {is_redis}");
    }
}

#[actix_web::test]
async fn messages_that_the_database_lost_change_the_place_of_the_last_one() {
    for is_redis in [false, true] {
        let Some(site) = Site::start_on(is_redis).await else { return };
        let [one, other] = site.twice().await;
        one.publish(batch("one", 200, &["a"])).await.unwrap();
        let last = other.end().await.unwrap().place;
        one.prune().await.unwrap();
        assert_eq!(read(&*other, last.position).await[0].place, last, "the last message stays");
        // The database is that of an earlier time, and Redis still has what came later.
        site.execute("DELETE FROM qd_events").await;
        for number in 201..206 {
            one.publish(batch("one", number, &["b"])).await.unwrap();
        }
        assert!(read(&*other, last.position).await.first().is_none_or(|found| found.place != last));
    }
}

#[actix_web::test]
async fn a_server_that_waits_is_told_of_messages() {
    for is_redis in [false, true] {
        let Some(site) = Site::start_on(is_redis).await else { return };
        let [one, other] = site.twice().await;
        let mut number = 300;
        // The first waits only begin to listen.
        let is_told = async || {
            number += 1;
            let waiting = timeout(Duration::from_secs(1), other.wait(Duration::from_secs(20)));
            let (told, published) = futures_util::join!(waiting, one.publish(batch("one", number, &["a"])));
            published.unwrap();
            told.is_ok()
        };
        until("it is told", is_told).await;
    }
}

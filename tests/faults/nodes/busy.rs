//! A client resumes its connection on another node of a busy cluster, although it got no event for long.

use std::time::Duration;

use quarterdeck_actors::hub::RENEW_MS;

use super::resume::{Beside, resumed};
use crate::support::waiting::until_within;
use crate::support::websocket::PONG;

/// Messages that no client gets.
struct Bulk {
    kind: &'static str,
    /// The content, as an expression of SQL.
    body: &'static str,
    /// The number after which a server stores a newer checkpoint.
    renewing: usize,
    /// The numbers that are published one after the other. All together are more than a server reads for a client.
    portions: [usize; 3],
    /// The number of the event that the client gets next. The newer checkpoint has 4, and the older one 3.
    next: usize,
}

/// The time in which servers apply such messages, on a busy machine.
const BULK_LIMIT: Duration = Duration::from_secs(100);

/// A server reads 50,000 messages.
const MANY: Bulk =
    Bulk { kind: "sockets", body: "'none'", renewing: 12_500, portions: [26_000, 13_000, 13_000], next: 4 };

/// A server reads 64 MiB. Each of these takes 400,000 bytes and 256 there, and those of its other members.
const LARGE: Bulk = Bulk {
    kind: "event",
    body: "'{\"event\":\"posted\",\"user_id\":\"none\",\"data\":{\"x\":\"' || repeat('x', 100000) || '\"}}'",
    renewing: 42,
    portions: [90, 50, 50],
    next: 3,
};

impl Beside {
    /// Publishes messages, and waits until no newer checkpoint of the connection is due because of them. Its client then
    /// answers a ping, so that this checkpoint can become the older one.
    async fn publish(&mut self, bulk: &Bulk, count: usize) {
        let end = self.survivor.texts("SELECT MAX(position)::text FROM qd_events").await.concat();
        let (Bulk { kind, body, renewing, .. }, id) = (bulk, &self.id);
        let sql = format!(
            "INSERT INTO qd_outbox (node, kind, body) SELECT '', '{kind}', {body} FROM generate_series(1, {count})"
        );
        self.home.execute(&sql).await;
        let sql = format!("SELECT id FROM qd_sockets WHERE id = '{id}' AND position > {end} + {count} - {renewing}");
        until_within(BULK_LIMIT, "a newer checkpoint is stored", async || self.survivor.texts(&sql).await.len() == 1)
            .await;
        self.socket.send_frame(true, PONG, b"").await;
    }

    /// Fails unless a client goes on after its server was killed, with more messages since its greeting than a server reads.
    async fn goes_on_after(mut self, bulk: &Bulk) {
        let [first, second, third] = bulk.portions;
        self.publish(bulk, first).await;
        self.publish(bulk, second).await;
        self.survivor.count_for_all(2..3).await;
        self.publish(bulk, third).await;
        let elapsed = self.began.elapsed();
        let interval = Duration::from_millis(RENEW_MS.unsigned_abs());
        assert!(elapsed < interval, "the checkpoints may be those of the interval: {elapsed:?}");
        let Self { process, survivor, admin, socket, id, .. } = self;
        process.kill().await;
        socket.cut();
        survivor.count_for_all(3..4).await;
        let mut there = resumed(&admin.at(&survivor.base), &id, bulk.next).await;
        assert_eq!(there.counts(bulk.next - 1..4, bulk.next).await, 5);
    }
}

#[actix_web::test]
async fn a_quiet_client_goes_on_after_more_messages_than_a_server_reads() {
    let Some(beside) = Beside::start().await else { return };
    beside.goes_on_after(&MANY).await;
}

#[actix_web::test]
async fn a_quiet_client_goes_on_after_larger_messages_than_a_server_reads() {
    let Some(beside) = Beside::start().await else { return };
    beside.goes_on_after(&LARGE).await;
}

//! The rows of connections in the database: a row has one node, and what is uncertain is not found.

use std::collections::HashSet;

use quarterdeck::store::{Db, NodeSockets};
use quarterdeck_actors::hub::{Checkpoint, SocketRow};
use quarterdeck_actors::place::Place;
use quarterdeck_actors::sockets::SocketStore;

use super::REASON;
use crate::support::{TestServer, database};

const MAX_AGE_MS: i64 = 60_000;

/// The rows of connections, as servers see them that are no members of the cluster.
struct Rows {
    server: TestServer,
}

impl Rows {
    async fn new() -> Self {
        Self { server: TestServer::start().await }
    }

    fn of(&self, node_id: &str) -> NodeSockets {
        Db::new(&self.server.server.config().current().view.sql).unwrap().sockets(node_id.to_owned())
    }

    async fn find(&self, id: &str) -> Option<SocketRow> {
        self.of("any").find(vec![id.to_owned()], MAX_AGE_MS).await.unwrap().pop()
    }

    async fn execute(&self, sql: &str) {
        self.server.execute(sql).await;
    }
}

fn point(number: i64) -> Checkpoint {
    Checkpoint { place: Place { position: number * 10, mark: number * 100 }, number }
}

fn row(id: &str, node_id: &str, earlier: i64, last: i64) -> SocketRow {
    let [id, node_id, user_id, session_id] = [id, node_id, "anna", "session"].map(ToOwned::to_owned);
    SocketRow { id, node_id, user_id, session_id, earlier: point(earlier), last: point(last) }
}

fn set(ids: &[&str]) -> HashSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn list(ids: &[&str]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[actix_web::test]
async fn a_row_belongs_to_one_node_until_another_one_claims_it() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let rows = Rows::new().await;
    let (one, other) = (rows.of("one"), rows.of("other"));
    assert_eq!(one.insert(vec![row("a", "one", 1, 1), row("b", "one", 1, 1)]).await.unwrap(), set(&["a", "b"]));
    let foreign = || vec![row("a", "other", 5, 5)];
    assert_eq!(other.insert(foreign()).await.unwrap(), set(&[]), "the row of another node is not replaced");
    assert_eq!(other.renew(foreign()).await.unwrap(), set(&[]));
    assert_eq!(other.exclude(list(&["a"])).await.unwrap(), set(&[]));
    assert_eq!(other.remove(list(&["a"])).await.unwrap(), set(&[]));
    assert_eq!(rows.find("a").await, Some(row("a", "one", 1, 1)));
    let claim = || other.claim(row("a", "one", 1, 7), "one".to_owned());
    assert!(claim().await.unwrap());
    assert!(!claim().await.unwrap(), "it is not of the first node any more");
    assert_eq!(rows.find("a").await, Some(row("a", "other", 1, 7)));
    let told = "SELECT body FROM (SELECT kind, body FROM qd_events UNION ALL SELECT kind, body FROM qd_outbox) m \
                WHERE kind = 'moved'";
    assert_eq!(rows.server.texts(told).await, ["a"]);
    assert_eq!(one.renew(vec![row("a", "one", 8, 8), row("b", "one", 1, 8)]).await.unwrap(), set(&["b"]));
    assert_eq!(one.remove(list(&["a", "b"])).await.unwrap(), set(&["b"]));
    assert_eq!((rows.find("a").await.is_some(), rows.find("b").await), (true, None));
}

#[actix_web::test]
async fn a_claim_fails_for_another_user_or_session_and_for_a_row_that_is_uncertain() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let rows = Rows::new().await;
    let (one, other) = (rows.of("one"), rows.of("other"));
    one.insert(vec![row("a", "one", 1, 1)]).await.unwrap();
    let of_another_user = SocketRow { user_id: "bert".to_owned(), ..row("a", "one", 1, 1) };
    assert!(!other.claim(of_another_user, "one".to_owned()).await.unwrap());
    let of_another_session = SocketRow { session_id: "other".to_owned(), ..row("a", "one", 1, 1) };
    assert!(!other.claim(of_another_session, "one".to_owned()).await.unwrap());
    assert_eq!(one.exclude(list(&["a"])).await.unwrap(), set(&["a"]));
    assert!(!other.claim(row("a", "one", 1, 1), "one".to_owned()).await.unwrap(), "events are left out for it");
    assert_eq!(rows.find("a").await, None);
    assert_eq!(one.renew(vec![row("a", "one", 2, 3)]).await.unwrap(), set(&["a"]));
    assert_eq!(rows.find("a").await, Some(row("a", "one", 2, 3)), "a renewed row is certain again");
    rows.execute("UPDATE qd_sockets SET timeline = timeline - 1").await;
    assert!(!other.claim(row("a", "one", 2, 3), "one".to_owned()).await.unwrap(), "the database has another history");
    rows.execute(&format!("UPDATE qd_sockets SET timeline = qd_timeline(), at = at - {MAX_AGE_MS} - 1")).await;
    assert_eq!(rows.find("a").await, None, "it is too old");
}

#[actix_web::test]
async fn a_checkpoint_of_another_history_of_the_database_does_not_stay_as_the_earlier_one() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let rows = Rows::new().await;
    let one = rows.of("one");
    one.insert(vec![row("a", "one", 1, 1)]).await.unwrap();
    one.renew(vec![row("a", "one", 1, 4)]).await.unwrap();
    assert_eq!(rows.find("a").await, Some(row("a", "one", 1, 4)), "the history is the same");
    rows.execute("UPDATE qd_sockets SET timeline = timeline - 1").await;
    one.renew(vec![row("a", "one", 4, 9)]).await.unwrap();
    assert_eq!(rows.find("a").await, Some(row("a", "one", 9, 9)));
}

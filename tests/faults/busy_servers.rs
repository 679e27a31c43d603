//! The busy flag of several servers on one database.

use quarterdeck::store::Db;
use quarterdeck_actors::busy::{BusyStore, StoredEnd};
use quarterdeck_actors::clock::{HOUR_MS, MINUTE_MS, wall_ms};
use reqwest::Method;
use serde_json::json;

use crate::support::{Client, TestServer, database};

const PATH: &str = "/server_busy";
const REASON: &str = "the embedded engine belongs to one server";

#[actix_web::test]
async fn a_mark_is_everyones_and_every_server_can_take_it_away() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let one = TestServer::start().await;
    let admin = one.admin().await;
    let other = one.start_beside("").await;
    let on_other = other.login("admin").await;
    admin.send(Method::POST, PATH, None, &[]).await.expect_ok();
    read_again(&on_other).await;
    assert_eq!(admin.get(PATH).await.expect(200), on_other.get(PATH).await.expect(200));
    on_other.delete(PATH).await.expect_ok();
    read_again(&admin).await;
    assert!(!is_busy(&admin).await && !is_busy(&on_other).await);

    admin.send(Method::POST, PATH, None, &[]).await.expect_ok();
    on_other.delete(PATH).await.expect_ok();
    assert!(!is_busy(&one.start_beside("").await.login("admin").await).await, "removed although it was not known");
}

#[actix_web::test]
async fn the_time_that_is_left_is_the_same_for_a_server_whose_clock_is_a_minute_off() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let db = Db::new(&server.server.config().current().view.sql).unwrap();
    for offset in [MINUTE_MS, -MINUTE_MS] {
        // Another server, whose clock is off by this time, is busy for an hour.
        let end = StoredEnd { wall: wall_ms() + offset + HOUR_MS, left_ms: Some(HOUR_MS) };
        BusyStore::save(&db, Some(end)).await.unwrap();
        let found = BusyStore::load(&db).await.unwrap().unwrap();
        let left_ms = found.left_ms.unwrap();
        assert!(found.wall == end.wall && (HOUR_MS - MINUTE_MS / 4..=HOUR_MS).contains(&left_ms), "{found:?}");
        read_again(&admin).await;
        assert_eq!(server.server.busy().until(), Some(end.wall), "shown as the other server shows it");
    }
    // A mark of an earlier version has no time of the database.
    let until = wall_ms() + HOUR_MS;
    let sql = format!("UPDATE systems SET value = '{until}' WHERE name = 'QuarterdeckBusyUntil'");
    crate::support::backdoor::execute(&server, &sql).await;
    let end = StoredEnd { wall: until, left_ms: None };
    assert_eq!(BusyStore::load(&db).await.unwrap(), Some(end));
    BusyStore::save(&db, None).await.unwrap();
    assert_eq!(BusyStore::load(&db).await.unwrap(), None);
}

#[actix_web::test]
async fn a_mark_that_is_over_by_the_clock_of_the_database_is_over_for_a_server_whose_clock_is_behind() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let server = TestServer::start().await;
    let db = Db::new(&server.server.config().current().view.sql).unwrap();
    BusyStore::save(&db, Some(StoredEnd { wall: wall_ms() + MINUTE_MS, left_ms: Some(0) })).await.unwrap();
    server.server.busy().refresh().await.unwrap();
    assert_eq!(server.server.busy().until(), None);
}

/// Has a server read the stored state again.
async fn read_again(client: &Client) {
    client.post("/caches/invalidate", json!({})).await.expect_ok();
}

async fn is_busy(client: &Client) -> bool {
    client.get(PATH).await.expect(200)["busy"] == true
}

//! The busy flag is kept when the server restarts, until its end.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::process::{Workplace, lines};
use crate::support::server::account;
use crate::support::waiting::until;
use crate::support::{Client, Home, backdoor};
use quarterdeck_actors::clock::wall_ms;

const PATH: &str = "/server_busy";
const IDLE: i64 = -62_135_596_800;

#[actix_web::test]
async fn what_was_marked_and_cleared_survives_a_kill() {
    let home = Home::new("").await;
    let server = home.start().await;
    server.client().post("/users", account("admin")).await.expect(201);
    mark(&server.client().log_in("admin").await, 3600).await;
    let before = state(&server.client().log_in("admin").await).await;
    assert_eq!(before["busy"], true);
    server.kill().await;

    let server = home.start().await;
    let admin = server.client().log_in("admin").await;
    assert_eq!(state(&admin).await, before);
    search(&admin).await.expect_refusal(503, "api.context.server_busy.app_error");
    admin.delete(PATH).await.expect_ok();
    server.kill().await;

    let server = home.start().await;
    let admin = server.client().log_in("admin").await;
    assert_eq!(state(&admin).await["expires"], IDLE);
    search(&admin).await.expect(200);
}

#[actix_web::test]
async fn a_mark_that_passed_while_the_server_was_down_is_over() {
    let home = Home::new("").await;
    let server = home.start().await;
    server.client().post("/users", account("admin")).await.expect(201);
    mark(&server.client().log_in("admin").await, 1).await;
    let marked = wall_ms();
    assert!(server.stop().await.success());
    until("the mark has passed", async || wall_ms() > marked + 1_000).await;
    let server = home.start().await;
    assert_eq!(state(&server.client().log_in("admin").await).await["expires"], IDLE);
}

#[actix_web::test]
async fn a_row_that_says_no_time_counts_as_not_busy_is_logged_and_is_mended_by_the_next_mark() {
    let place = Workplace::new("").await;
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    mark(&server.client().log_in("admin").await, 3600).await;
    server.stop().await;
    let spoil = "UPDATE systems SET value = 'tomorrow' WHERE name = 'QuarterdeckBusyUntil'";
    backdoor::execute_in(&place.path(""), spoil).await;

    let server = place.serve().await;
    let admin = server.client().log_in("admin").await;
    assert_eq!(state(&admin).await["expires"], IDLE);
    assert_eq!(complaints(&place), 1);
    mark(&admin, 3600).await;
    let before = state(&admin).await;
    server.stop().await;

    let server = place.serve().await;
    assert_eq!(state(&server.client().log_in("admin").await).await, before);
    server.stop().await;
    assert_eq!(complaints(&place), 0);
}

/// Returns how often the log of the last start names the row.
fn complaints(place: &Workplace) -> usize {
    let log = lines(&place.path("stderr"));
    log.iter().filter(|line| line["level"] == "error" && line["db.row"] == "QuarterdeckBusyUntil").count()
}

async fn mark(client: &Client, seconds: u32) {
    client.send(Method::POST, &format!("{PATH}?seconds={seconds}"), None, &[]).await.expect_ok();
}

async fn state(client: &Client) -> Value {
    client.get(PATH).await.expect(200)
}

async fn search(client: &Client) -> crate::support::Reply {
    client.post("/users/search", json!({ "term": "admin" })).await
}

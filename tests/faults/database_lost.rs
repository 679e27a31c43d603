//! The database becomes unavailable while the server runs, and recovers.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

use crate::support::server::account;
use crate::support::waiting::until_within;
use crate::support::{Client, Home, Process, Proxy, Reply, database};

/// The maximum duration of a request that needs the database while it is unavailable, for any number of requests at
/// once.
const MAX_RESPONSE_TIME: Duration = Duration::from_secs(15);

/// The maximum duration of a request that needs no database, with a margin for a busy machine.
const MAX_PING_TIME: Duration = Duration::from_secs(4);

/// The time after which the readiness probe fails: the interval of checks, the timeout of one, and a margin.
const DETECTION_TIME: Duration = Duration::from_secs(20);

/// More callers than connections, so that some wait.
const CALLERS: usize = 10;

#[actix_web::test]
async fn a_database_that_is_refused_costs_errors_and_no_hanging_requests() {
    outage(Proxy::refuse).await;
}

#[actix_web::test]
async fn a_database_that_hangs_costs_errors_and_no_hanging_requests() {
    outage(Proxy::stall).await;
}

#[actix_web::test]
async fn outages_in_a_row_leave_nothing_behind() {
    let Some((proxy, server, anna)) = server_behind_a_proxy().await else { return };
    for _ in 0..5 {
        proxy.refuse();
        let reply = ask(&anna).await;
        assert!(matches!(reply.status, 500 | 503), "{}", reply.text());
        proxy.restore();
        eventually(MAX_RESPONSE_TIME, || async { ask(&anna).await.status == 200 }).await;
    }
    assert!(server.stop().await.success());
}

async fn outage(lose: fn(&Proxy)) {
    let Some((proxy, server, anna)) = server_behind_a_proxy().await else { return };
    let unknown_token = server.client().with_token("a-token-that-nobody-ever-had");
    let newcomer = server.client();
    let leaver = newcomer.log_in("anna").await;
    lose(&proxy);

    let pings = async {
        for _ in 0..3 {
            timed(MAX_PING_TIME, newcomer.get("/system/ping")).await.expect(200);
            timed(MAX_PING_TIME, newcomer.get("//livez")).await;
            assert_eq!(timed(MAX_PING_TIME, unknown_token.get("//livez")).await.status, 200);
        }
    };
    let (reads, unknown, write, logout, (), ()) = tokio::join!(
        timed(MAX_RESPONSE_TIME, join_all((0..CALLERS).map(|_| ask(&anna)))),
        timed(MAX_RESPONSE_TIME, ask(&unknown_token)),
        timed(MAX_RESPONSE_TIME, newcomer.post("/users", account("bert"))),
        timed(MAX_RESPONSE_TIME, leaver.post("/users/logout", json!({}))),
        pings,
        eventually(DETECTION_TIME, || async { newcomer.get("//readyz").await.status == 503 }),
    );
    for reply in reads.iter().chain([&write, &logout]) {
        assert_is_failure(reply);
    }
    // The status is not 401, because a client discards its token then.
    unknown.expect_refusal(500, "api.context.invalid_token.error");
    let details = newcomer.get("/system/ping?get_server_status=true&use_rest_semantics=true").await.expect(200);
    assert_eq!((&details["status"], &details["database_status"]), (&json!("UNHEALTHY"), &json!("UNHEALTHY")));

    proxy.restore();
    eventually(MAX_RESPONSE_TIME, || async { ask(&anna).await.status == 200 }).await;
    eventually(DETECTION_TIME, || async { newcomer.get("//readyz").await.status == 200 }).await;
    // Every connection works again, not only the first.
    for reply in join_all((0..CALLERS).map(|_| ask(&anna))).await {
        reply.expect(200);
    }
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn the_page_of_a_server_without_accounts_shows_the_login_while_the_database_hangs() {
    let Some((proxy, server)) = new_server_behind_a_proxy().await else { return };
    let client = server.client();
    let page = async || client.send(Method::GET, "//login", None, &[]).await;
    assert!(page().await.text().contains("data-setup=\"here\""));
    proxy.stall();
    let hanging = timed(MAX_RESPONSE_TIME, page()).await;
    assert_eq!(hanging.status, 200);
    assert!(hanging.text().contains("data-setup=\"\""), "{}", hanging.text());
    proxy.restore();
    eventually(MAX_RESPONSE_TIME, || async { page().await.text().contains("data-setup=\"here\"") }).await;
    assert!(server.stop().await.success());
}

/// Starts a server behind a proxy to its database; `None` on the embedded engine.
async fn new_server_behind_a_proxy() -> Option<(Proxy, Process)> {
    let base = database::only_postgres("the embedded engine cannot be lost")?;
    let proxy = Proxy::start(database::host(&base));
    let schema = database::fresh_schema(&base).await;
    let settings = database::settings_in(&base, &schema);
    let home = Home::on_database(&settings.replace(database::host(&base), &proxy.address().to_string()), "");
    Some((proxy, home.start().await))
}

/// Starts a server behind a proxy to its database, and logs in a user; `None` on the embedded engine.
async fn server_behind_a_proxy() -> Option<(Proxy, Process, Client)> {
    let (proxy, server) = new_server_behind_a_proxy().await?;
    server.client().post("/users", account("anna")).await.expect(201);
    let anna = server.client().log_in("anna").await;
    // After this request the session is cached, and the account is not.
    ask(&anna).await.expect(200);
    Some((proxy, server, anna))
}

/// A request that reads the database.
async fn ask(client: &Client) -> Reply {
    client.send(Method::GET, "/users/me", None, &[]).await
}

#[track_caller]
fn assert_is_failure(reply: &Reply) {
    let body = reply.json();
    assert!(matches!(reply.status, 500 | 503), "{body}");
    assert!(body["id"].as_str().is_some_and(|id| id.ends_with("error")), "{body}");
    assert_eq!(body["status_code"], reply.status);
}

/// Fails if `work` takes longer than `limit`.
async fn timed<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    timeout(limit, work).await.unwrap_or_else(|_| panic!("not done within {limit:?}"))
}

/// Repeats `ask` until it returns true, for at most `limit`.
async fn eventually<F: Future<Output = bool>>(limit: Duration, ask: impl Fn() -> F) {
    until_within(limit, "the answer is yes", async || ask().await).await;
}

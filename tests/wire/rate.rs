//! The rate limit and the addresses of its buckets.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{Client, Reply, TestServer};

const TWO_AT_ONCE: &str = "[RateLimitSettings]\nEnable = true\nPerSec = 1\nMaxBurst = 1\n";

async fn ping_from(client: &Client, address: &str) -> Reply {
    client.send(Method::GET, "/system/ping", None, &[("X-Real-Ip", address)]).await
}

#[actix_web::test]
async fn a_caller_beyond_the_burst_is_told_to_wait_in_plain_text() {
    let server = TestServer::start_with(TWO_AT_ONCE).await;
    let client = server.client();
    let first = client.get("/system/ping").await;
    assert_eq!((first.header("x-ratelimit-limit"), first.header("x-ratelimit-remaining")), ("2".into(), "1".into()));
    assert_eq!(first.header("x-ratelimit-reset"), "1");
    // An unknown route counts as well.
    assert_eq!(client.get("/nothing").await.status, 404);
    let over = client.get("/system/ping").await;
    assert_eq!((over.status, over.text().as_str()), (429, "limit exceeded\n"));
    assert_eq!(over.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(over.header("x-ratelimit-remaining"), "0");
    assert_eq!(over.header("retry-after"), "1");
}

#[actix_web::test]
async fn callers_are_told_apart_by_the_header_of_a_trusted_proxy_only() {
    let behind_proxy = format!("{TWO_AT_ONCE}[ServiceSettings]\nTrustedProxyIPHeader = [\"X-Real-Ip\"]\n");
    let server = TestServer::start_with(&behind_proxy).await;
    for address in ["10.0.0.1", "10.0.0.2, 10.9.9.9", "2001:db8::1"] {
        assert_eq!(ping_from(&server.client(), address).await.header("x-ratelimit-remaining"), "1", "{address}");
    }
    let doubting = TestServer::start_with(TWO_AT_ONCE).await;
    ping_from(&doubting.client(), "10.0.0.1").await;
    assert_eq!(ping_from(&doubting.client(), "10.0.0.2").await.header("x-ratelimit-remaining"), "0");
}

#[actix_web::test]
async fn callers_beyond_the_size_of_the_store_share_one_bucket() {
    let tiny = format!("{TWO_AT_ONCE}MemoryStoreSize = 1\n[ServiceSettings]\nTrustedProxyIPHeader = [\"X-Real-Ip\"]\n");
    let server = TestServer::start_with(&tiny).await;
    let client = server.client();
    ping_from(&client, "10.0.0.1").await;
    let statuses = [
        ping_from(&client, "10.0.0.2").await,
        ping_from(&client, "10.0.0.3").await,
        ping_from(&client, "10.0.0.4").await,
    ];
    assert_eq!(statuses.map(|reply| reply.status), [200, 200, 429]);
}

#[actix_web::test]
async fn made_up_tokens_share_the_bucket_of_their_address_and_a_user_has_one() {
    let settings = "[RateLimitSettings]\nEnable = true\nPerSec = 1\nMaxBurst = 9\nVaryByUser = true\n";
    let server = TestServer::start_with(settings).await;
    let admin = server.admin().await;
    let anonymous = server.client();
    let replies: Vec<u16> = join_all(
        (0..20).map(async |number| anonymous.with_token(&format!("{number:026}")).get("/users/me").await.status),
    )
    .await;
    assert!(replies.contains(&429), "{replies:?}");
    // The bucket of the address is empty; the user at this address has a separate one.
    let other = admin.with_token(admin.token.as_deref().unwrap());
    admin.get("/users/me").await.expect(200);
    let replies = join_all(
        (0..20).map(|number| if number % 2 == 0 { &admin } else { &other }).map(|client| client.get("/users/me")),
    )
    .await;
    let refused = replies.iter().find(|reply| reply.status == 429).unwrap();
    assert_eq!(refused.json()["id"], "api.context.rate_limited.app_error");
    assert!(replies.iter().filter(|reply| reply.status == 200).count() >= 5);
}

#[actix_web::test]
async fn new_quantities_count_at_once_and_an_old_count_does_not_come_back() {
    let server = TestServer::start_with("[RateLimitSettings]\nEnable = true\nPerSec = 1\n").await;
    let admin = server.admin().await;
    for burst in [200, 300] {
        admin.put("/config/patch", json!({ "RateLimitSettings": { "MaxBurst": burst } })).await.expect(200);
        let reply = admin.get("/system/ping").await;
        assert_eq!(reply.header("x-ratelimit-limit"), (burst + 1).to_string());
    }
}

#[actix_web::test]
async fn logins_have_a_limit_of_their_own() {
    let server = TestServer::start_with("[RateLimitSettings]\nEnable = true\nPerSec = 1000\nMaxBurst = 1000\n").await;
    let client = server.client();
    let body = json!({ "login_id": "a", "password": "" });
    let replies = join_all((0..40).map(|_| client.post("/users/login", body.clone()))).await;
    let refusals = replies.iter().filter(|reply| reply.status == 429).count();
    assert!(refusals > 0, "{refusals} of 40 logins at once were refused");
}

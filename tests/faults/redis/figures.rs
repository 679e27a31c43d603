//! Metrics and readiness tell if Redis is used.

use reqwest::Method;

use super::{Place, QUIET, change};
use crate::support::TestServer;
use crate::support::waiting::until;

/// Returns the value of a series of a server.
async fn figure(server: &TestServer, series: &str) -> u64 {
    let token = [("Authorization", "Bearer 0123456789abcdef-metrics")];
    let text = server.client().send(Method::GET, "//metrics", None, &token).await.text();
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("{series} is not in {text}")).parse().unwrap()
}

/// Changes something until a server uses Redis, or until it does not.
async fn until_used(place: &Place, is_used: bool) {
    let shows = async || {
        change(&place.anna, "another").await;
        figure(&place.one, "quarterdeck_redis_in_use").await == u64::from(is_used)
    };
    until(&format!("Redis is in use: {is_used}"), shows).await;
}

/// Waits until readiness tells that events are in Redis, or that they are in the database.
async fn until_told(place: &Place, line: &str) {
    let tells = async || place.one.client().get("//readyz?verbose").await.text().contains(line);
    until(line, tells).await;
}

#[actix_web::test]
async fn figures_and_readiness_tell_if_redis_is_used() {
    let Some(mut place) = Place::start().await else { return };
    until_used(&place, true).await;
    let batches =
        async |there: &str| figure(&place.one, &format!("quarterdeck_redis_batches_total{{place=\"{there}\"}}")).await;
    let is_counted = async || {
        change(&place.anna, "another").await;
        batches("redis").await >= 1
    };
    until("a batch over Redis is counted", is_counted).await;
    assert_eq!(figure(&place.one, "quarterdeck_redis_losses_total").await, 0);
    let third = place.one.start_beside(QUIET).await;
    until_used(&place, false).await;
    until_told(&place, "[!]redis degraded").await;
    assert!(batches("database").await >= 1);
    third.server.stop().await.unwrap();
    until_used(&place, true).await;
    until_told(&place, "[+]redis ok").await;
    let failures = figure(&place.one, "quarterdeck_redis_failures_total").await;
    place.redis.kill();
    until_used(&place, false).await;
    until_told(&place, "[!]redis degraded").await;
    assert!(figure(&place.one, "quarterdeck_redis_failures_total").await > failures);
}

//! Bodies that are designed to cost much more work than their length.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::configuration::named;

/// A generous limit for such a body, also in a debug build beside other tests. A quadratic parser took minutes.
const MAX_RESPONSE_TIME: Duration = Duration::from_mins(1);

#[actix_web::test]
async fn a_login_of_backslashes_is_answered_at_once_and_so_is_everybody_else() {
    let server = TestServer::start().await;
    let client = server.client();
    let hostile = format!("{{{}", "\\".repeat(299_999));
    let begun = Instant::now();
    let logins = (0..4).map(|_| client.send(Method::POST, "/users/login", Some(hostile.clone()), &[]));
    let (replies, ping) = tokio::join!(futures_util::future::join_all(logins), client.get("/system/ping"));
    assert!(begun.elapsed() < MAX_RESPONSE_TIME, "{:?}", begun.elapsed());
    assert_eq!(ping.status, 200);
    let broken = client.send(Method::POST, "/users/login", Some("{".to_owned()), &[]).await;
    for reply in replies {
        // Either the body is not JSON, or it is too large for a caller without a session.
        assert!(reply.status == 413 || reply.status == broken.status, "{}", reply.text());
    }
}

#[actix_web::test]
async fn a_list_that_is_far_too_long_is_refused_by_name_while_the_actors_go_on_answering() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let delegate = server.staff(&admin, "dora", "system_user_manager").await;
    let list = |length: usize| json!({ "ServiceSettings": { "TrustedProxyIPHeader": vec![""; length] } });
    let begun = Instant::now();
    let patch = |length| delegate.put("/config/patch?dry_run=true", list(length));
    let others = async {
        for _ in 0..5 {
            server.login("admin").await;
            assert_eq!(server.client().get("//readyz").await.status, 200);
        }
    };
    let (refused, passed_over, ()) = tokio::join!(patch(20_000), patch(1_000), others);
    assert!(begun.elapsed() < MAX_RESPONSE_TIME, "{:?}", begun.elapsed());
    refused.expect_refusal(400, "api.config.too_large.app_error");
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "The setting ServiceSettings.TrustedProxyIPHeader takes at most 1000 elements.");
    assert_eq!(passed_over.expect(200)["changes"], json!([]), "the delegate may not write it");
    let admitted = admin.put("/config/patch?dry_run=true", list(1_000)).await.expect(200);
    // The first change also generates the empty keys.
    assert!(named(&admitted["changes"], "path").contains(&"ServiceSettings.TrustedProxyIPHeader".to_owned()));
}

#[actix_web::test]
async fn what_is_no_setting_is_dropped_however_large_it_is_and_named_in_a_header_of_bounded_length() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bytes = json!({ "TeamSettings": { "Unknown": "x".repeat(250_000), "SiteName": "named" } });
    let reply = admin.put("/config/patch", bytes).await;
    assert_eq!(reply.expect(200)["TeamSettings"]["SiteName"], "named");
    assert_eq!(reply.header("x-config-unknown"), "/TeamSettings/Unknown");
    let members: Value = (0..20_000).map(|at| (format!("u{at}"), json!(0))).collect::<serde_json::Map<_, _>>().into();
    for body in [json!({ "TeamSettings": members }), json!({ "x".repeat(250_000): 0 })] {
        let begun = Instant::now();
        let reply = admin.put("/config/patch?dry_run=true", body).await;
        assert!(begun.elapsed() < MAX_RESPONSE_TIME, "{:?}", begun.elapsed());
        reply.expect(200);
        let header = reply.header("x-config-unknown");
        assert!(header.len() < 5_000 && header.ends_with("..."), "{header}");
    }
}

//! The verification of the audit trail, as the API tells it.

use reqwest::Method;
use serde_json::{Value, json};

use super::{EXPIRED, FORBIDDEN};
use crate::support::waiting::until;
use crate::support::{Client, TestServer};

const PATH: &str = "/audits/verification";

/// Verifies the whole trail, and returns what was found.
async fn verified(admin: &Client) -> Value {
    let begun = admin.post(PATH, json!({})).await.expect(202);
    assert_eq!(begun["is_running"], true);
    let ended = async || admin.get(PATH).await.expect(200)["is_running"] == false;
    until("the verification ends", ended).await;
    admin.get(PATH).await.expect(200)
}

async fn readiness(server: &TestServer) -> String {
    server.client().send(Method::GET, "//readyz?verbose", None, &[]).await.text()
}

#[actix_web::test]
async fn the_state_of_the_trail_is_for_those_who_read_it_and_its_verification_for_administrators() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let reader = server.staff(&admin, "clara", "system_read_only_admin").await;
    server.client().get(PATH).await.expect_refusal(401, EXPIRED);
    server.client().post(PATH, json!({})).await.expect_refusal(401, EXPIRED);
    bert.get(PATH).await.expect_refusal(403, FORBIDDEN);
    bert.post(PATH, json!({})).await.expect_refusal(403, FORBIDDEN);
    reader.post(PATH, json!({})).await.expect_refusal(403, FORBIDDEN);
    let report = reader.get(PATH).await.expect(200);
    assert_eq!((&report["state"], &report["verified_at"]), (&json!("not_verified"), &json!(0)), "{report}");
    assert_eq!(report["is_running"], false);
    assert!(!readiness(&server).await.contains("audit-trail"), "nothing is said of a trail that is not verified");
}

#[actix_web::test]
async fn a_verified_trail_is_in_order_until_a_row_is_changed_by_hand() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let intact = verified(&admin).await;
    assert_eq!((&intact["state"], &intact["findings"]), (&json!("intact"), &json!([])), "{intact}");
    assert_eq!((&intact["first_row"], &intact["first_broken_row"]), (&json!(1), &Value::Null));
    assert!(intact["last_row"].as_i64().unwrap() >= 2 && intact["verified_at"] == intact["whole_at"], "{intact}");
    assert!(!intact["node_name"].as_str().unwrap().is_empty(), "{intact}");
    assert!(readiness(&server).await.contains("[+]audit-trail ok ("));

    server.execute("UPDATE qd_audits SET userid = 'nobody' WHERE number = 2").await;
    let broken = verified(&admin).await;
    assert_eq!((&broken["state"], &broken["first_broken_row"]), (&json!("broken"), &json!(2)), "{broken}");
    assert_eq!((&broken["finding_count"], &broken["findings"][0]["row"]), (&json!(1), &json!(2)));
    assert!(broken["findings"][0]["text"].as_str().unwrap().ends_with("was changed"), "{broken}");
    // It serves on: the trail is no reason to take the server out of traffic.
    let text = readiness(&server).await;
    assert!(
        text.contains("[!]audit-trail degraded: see the log (") && text.ends_with("readyz check passed\n"),
        "{text}"
    );
    let rows = admin.audits().await;
    let begun = rows.iter().filter(|row| row["extra_info"] == "verifyAudits success").count();
    assert_eq!(begun, 2, "{rows:?}");
}

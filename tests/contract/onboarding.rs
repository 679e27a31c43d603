//! `/system/onboarding/complete`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::trail::newest_in;
use crate::support::{Client, TestServer, backdoor};

const PATH: &str = "/system/onboarding/complete";

async fn is_complete(admin: &Client) -> Value {
    admin.get(PATH).await.expect(200)
}

#[actix_web::test]
async fn only_who_manages_the_system_sees_and_completes_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let member = server.user(&admin, "anna").await;
    let manager = server.staff(&admin, "mia", "system_manager").await;
    server.client().get(PATH).await.expect_refusal(401, "api.context.session_expired.app_error");
    server.client().post(PATH, json!({})).await.expect_refusal(401, "api.context.session_expired.app_error");
    for client in [&member, &manager] {
        client.get(PATH).await.expect_refusal(403, "api.context.permissions.app_error");
        let refused = client.send(Method::POST, PATH, Some("{".to_owned()), &[]).await;
        refused.expect_refusal(403, "app.system.complete_onboarding_request.no_first_user");
    }
    assert_eq!(is_complete(&admin).await, json!({ "name": "FirstAdminSetupComplete", "value": "false" }));
}

#[actix_web::test]
async fn what_cannot_be_read_and_what_names_no_organization_completes_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for body in ["", "{", "null", "[]", r#"{"organization":5}"#, r#"{"organization":"x","install_plugins":[1]}"#] {
        let refused = admin.send(Method::POST, PATH, Some(body.to_owned()), &[]).await;
        refused.expect_refusal(400, "app.system.complete_onboarding_request.app_error");
    }
    for body in [json!({}), json!({ "organization": "" }), json!({ "organization": null, "install_plugins": null })] {
        let refused = admin.post(PATH, body).await;
        refused.expect_refusal(400, "api.error_no_organization_name_provided_for_self_hosted_onboarding");
    }
    let large = json!({ "organization": "x".repeat(400_000) });
    admin.post(PATH, large).await.expect_refusal(413, "api.context.request_body_too_large.app_error");
    assert_eq!(is_complete(&admin).await["value"], "false");
}

#[actix_web::test]
async fn it_is_complete_once_the_organization_has_a_name() {
    let server = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    let body = json!({ "organization": "Harbour & Co", "install_plugins": ["com.example.tides"], "role": "captain" });
    admin.post(PATH, body).await.expect_ok();
    assert_eq!(is_complete(&admin).await, json!({ "name": "FirstAdminSetupComplete", "value": "true" }));
    admin.post(PATH, json!({ "organization": "é".repeat(2000) })).await.expect_ok();
    let names = "SELECT value FROM systems WHERE name = 'OrganizationName'";
    assert_eq!(backdoor::texts_in(server.folder(), names).await, ["é".repeat(1024)]);
    admin.audits().await;
    let recorded = newest_in(server.folder(), "completeOnboarding").await;
    assert_eq!((&recorded["status"], recorded["userid"].as_str()), (&json!("success"), Some(&*admin.user_id)));
}

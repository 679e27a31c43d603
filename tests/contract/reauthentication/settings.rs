//! Changes of the configuration: only some settings need a recent authentication.

use serde_json::{Value, json};

use super::{Client, MINUTE_MS, PASSWORD, REQUIRED, TestServer, age, log_in, prove, started};

async fn aged() -> (TestServer, Client) {
    let (server, _) = started("").await;
    let guarded = log_in(&server).await;
    age(&server, 15 * MINUTE_MS).await;
    (server, guarded)
}

#[actix_web::test]
async fn settings_that_lock_people_out_and_secrets_need_a_recent_login_and_others_do_not() {
    let (_server, guarded) = aged().await;
    let harmless = json!({ "TeamSettings": { "SiteName": "Bridge" } });
    guarded.put("/config/patch", harmless).await.expect(200);
    let critical = [
        json!({ "ServiceSettings": { "SiteURL": "https://chat.example" } }),
        json!({ "PasswordSettings": { "MinimumLength": 20 } }),
        json!({ "EmailSettings": { "SMTPPassword": "secret" } }),
        json!({ "PluginSettings": { "Plugins": { "some.plugin": { "token": "x" } } } }),
        json!({ "TeamSettings": { "SiteName": "Deck" }, "RateLimitSettings": { "Enable": true } }),
    ];
    for body in &critical {
        guarded.put("/config/patch", body.clone()).await.expect_refusal(403, REQUIRED);
        guarded.put("/config/patch?dry_run=true", body.clone()).await.expect(200);
    }
    assert_eq!(site_name(&guarded).await, "Bridge", "a refused change stores nothing");
    prove(&guarded, PASSWORD).await.expect_ok();
    guarded.put("/config/patch", critical[1].clone()).await.expect(200);
}

#[actix_web::test]
async fn a_whole_document_and_a_rollback_are_judged_by_what_they_change() {
    let (server, guarded) = aged().await;
    let mut whole = guarded.get("/config").await.expect(200);
    whole["TeamSettings"]["SiteName"] = json!("Bridge");
    guarded.put("/config", whole.clone()).await.expect(200);
    whole["ServiceSettings"]["MaximumLoginAttempts"] = json!(7);
    guarded.put("/config", whole.clone()).await.expect_refusal(403, REQUIRED);
    prove(&guarded, PASSWORD).await.expect_ok();
    guarded.put("/config", whole).await.expect(200);
    age(&server, 15 * MINUTE_MS).await;
    let versions = guarded.get("/config/versions").await.expect(200);
    let id = |at: usize| versions[at]["id"].as_str().unwrap().to_owned();
    guarded.post(&format!("/config/versions/{}/rollback", id(1)), json!({})).await.expect_refusal(403, REQUIRED);
    guarded.post(&format!("/config/versions/{}/rollback", id(0)), json!({})).await.expect(200);
    prove(&guarded, PASSWORD).await.expect_ok();
    guarded.post(&format!("/config/versions/{}/rollback", id(1)), json!({})).await.expect(200);
}

/// A change of the host would send the stored password there.
#[actix_web::test]
async fn sending_a_secret_to_another_host_needs_a_recent_login() {
    let (server, guarded) = aged().await;
    prove(&guarded, PASSWORD).await.expect_ok();
    let mail =
        json!({ "EmailSettings": { "SMTPServer": "mail.example", "SMTPUsername": "deck", "SMTPPassword": "p" } });
    guarded.put("/config/patch", mail).await.expect(200);
    age(&server, 15 * MINUTE_MS).await;
    let moved = json!({ "EmailSettings": { "SMTPServer": "other.example" } });
    guarded.put("/config/patch", moved).await.expect_refusal(403, REQUIRED);
}

#[actix_web::test]
async fn another_mail_server_or_other_sites_need_a_recent_login_although_no_secret_is_stored() {
    let (_server, guarded) = aged().await;
    for settings in [
        json!({ "EmailSettings": { "SMTPServer": "other.example" } }),
        json!({ "ServiceSettings": { "AllowCorsFrom": "https://other.example" } }),
    ] {
        guarded.put("/config/patch", settings).await.expect_refusal(403, REQUIRED);
    }
}

#[actix_web::test]
async fn the_description_names_the_settings_that_can_lock_administrators_out() {
    let (_server, admin) = started("").await;
    let described = admin.get("/config/schema").await.expect(200);
    let settings = described["settings"].as_array().unwrap();
    let flag = |path: &str| settings.iter().find(|setting| setting["path"] == path).unwrap().get("can_lock_out");
    assert_eq!(flag("ServiceSettings.SiteURL"), Some(&json!(true)));
    assert_eq!(flag("TeamSettings.SiteName"), None);
}

async fn site_name(client: &Client) -> Value {
    client.get("/config").await.expect(200)["TeamSettings"]["SiteName"].clone()
}

//! Which defaults a server uses: the same ones at its start, for each load, and for documents that replace the running
//! one.

use quarterdeck::server::Server;
use serde_json::{Value, json};

use super::starting::start;
use crate::support::backdoor::texts_in;
use crate::support::configuration::at;
use crate::support::{Client, TestServer};

/// Settings of a hand-written document, with old keys and without `SiteURL`.
fn written() -> Value {
    json!({
        "ServiceSettings": {"SessionLengthWebInDays": 7, "SessionLengthMobileInDays": 8, "SessionLengthSSOInDays": 9},
        "ExperimentalSettings": {"EnableSharedChannels": true, "EnableRemoteClusterService": true},
        "LogSettings": {"EnableDiagnostics": false},
        "PluginSettings": {"PluginStates": {"x": {"enable": true}}},
        "EmailSettings": {"ConnectionSecurity": "TLS", "EnableSignUpWithEmail": false},
        "SamlSettings": {
            "Enable": true, "Verify": false, "Encrypt": false,
            "IdpUrl": "https://idp.example/sso", "IdpDescriptorUrl": "https://idp.example/meta",
            "IdpCertificateFile": "idp.crt", "EmailAttribute": "Email", "UsernameAttribute": "Username",
        },
    })
}

/// The settings in force with that document.
fn expected() -> Vec<(&'static str, Value)> {
    vec![
        ("ServiceSettings.SessionLengthWebInHours", json!(168)),
        ("ServiceSettings.SessionLengthMobileInHours", json!(192)),
        ("ServiceSettings.SessionLengthSSOInHours", json!(216)),
        ("ConnectedWorkspacesSettings.EnableSharedChannels", json!(true)),
        ("ConnectedWorkspacesSettings.EnableRemoteClusterService", json!(true)),
        ("LogSettings.EnableSentry", json!(false)),
        ("PluginSettings.PluginStates.x.Enable", json!(true)),
        ("EmailSettings.EnableSMTPAuth", json!(true)),
        ("EmailSettings.EnableSignInWithEmail", json!(false)),
        ("SamlSettings.ServiceProviderIdentifier", json!("https://idp.example/meta")),
        ("TeamSettings.TeammateNameDisplay", json!("full_name")),
        ("ServiceSettings.SiteURL", json!("")),
        ("ServiceSettings.ExtendSessionLengthWithActivity", json!(true)),
        ("ServiceSettings.TerminateSessionsOnPasswordChange", json!(true)),
        ("ServiceSettings.EnableSVGs", json!(false)),
        ("ServiceSettings.EnableLatex", json!(false)),
        ("ServiceSettings.EnableEmailInvitations", json!(true)),
        ("EmailSettings.SendPushNotifications", json!(false)),
        ("EmailSettings.PushNotificationServer", json!("")),
    ]
}

#[actix_web::test]
async fn a_load_and_a_replacement_take_the_same_defaults_and_those_follow_other_settings() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let replaced = admin.put("/config", written()).await.expect(200);
    for (path, value) in expected() {
        assert_eq!(*at(&replaced, path), value, "replaced: {path}");
    }
    admin.set("TeamSettings.SiteName", "stored").await.expect(200);
    store(&server, &written()).await;
    let loaded = config(&start(&server).await.unwrap()).await;
    for (path, value) in expected() {
        assert_eq!(*at(&loaded, path), value, "loaded: {path}");
    }
    // The survey is off where diagnostics are; a replacement keeps the states of plugins that it leaves out.
    assert_eq!(loaded["PluginSettings"]["PluginStates"]["com.mattermost.nps"]["Enable"], false);
}

#[actix_web::test]
async fn what_differs_from_the_defaults_can_be_sent_back_and_changes_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let days = json!({"ServiceSettings": {"SessionLengthWebInDays": 7}, "TeamSettings": {"SiteName": "one"}});
    for patch in [json!({}), days, json!({"ServiceSettings": {"SiteURL": "https://chat.example"}})] {
        admin.put("/config/patch", patch).await.expect(200);
        let before = admin.get("/config").await;
        let differing = admin.get("/config?remove_defaults=true").await.expect(200);
        let after = admin.put("/config", differing).await;
        assert_eq!((after.text(), after.header("etag")), (before.text(), before.header("etag")));
    }
    let config = admin.config().await;
    assert_eq!(*at(&config, "ServiceSettings.SessionLengthWebInHours"), 720, "stored with the first change");
}

#[actix_web::test]
async fn a_new_server_uses_the_defaults_of_the_table() {
    let server = TestServer::start().await;
    let config = server.admin().await.config().await;
    let changed = ["ServiceSettings.SessionLengthMobileInHours", "ServiceSettings.SessionLengthWebInHours"];
    for path in changed {
        assert_eq!(*at(&config, path), 720);
    }
    for (path, value) in expected().into_iter().skip(11) {
        assert_eq!(*at(&config, path), value, "{path}");
    }
    assert_eq!(texts_in(server.folder(), MARK).await, ["table"]);
}

/// A server that an earlier version made has a key of fingerprints and no mark.
#[actix_web::test]
async fn an_installation_of_an_earlier_version_keeps_what_it_runs_with() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.execute("DELETE FROM systems WHERE name = 'QuarterdeckDefaults'").await;
    let kept = [
        ("EmailSettings.SendPushNotifications", json!(true)),
        ("EmailSettings.PushNotificationServer", json!("https://push-test.mattermost.com")),
        ("ServiceSettings.EnableEmailInvitations", json!(false)),
    ];
    let upgraded = start(&server).await.unwrap();
    let never_stored = config(&upgraded).await;
    for (path, value) in &kept {
        assert_eq!(at(&never_stored, path), value, "{path}");
    }
    assert_eq!(texts_in(server.folder(), MARK).await, [""; 0]);
    drop(upgraded);

    admin.set("TeamSettings.SiteName", "stored").await.expect(200);
    store(&server, &json!({"ServiceSettings": {"SiteURL": "https://chat.example", "SessionLengthWebInDays": 7}})).await;
    let upgraded = start(&server).await.unwrap();
    let partly_stored = config(&upgraded).await;
    assert_eq!(*at(&partly_stored, "ServiceSettings.SessionLengthWebInHours"), 4320);
    assert_eq!(*at(&partly_stored, "ServiceSettings.EnableSVGs"), true);
    // The first change stores them, so that they stay whatever becomes of the defaults.
    let client = logged_in(&upgraded).await;
    client.set("TeamSettings.SiteName", "two").await.expect(200);
    assert_eq!(client.setting("ServiceSettings.SessionLengthWebInHours").await, 4320);
    upgraded.reload().await.unwrap();
    assert_eq!(client.setting("ServiceSettings.EnableSVGs").await, true);
}

#[actix_web::test]
async fn a_developers_server_without_a_site_url_has_that_of_its_own_machine() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.set("TeamSettings.SiteName", "stored").await.expect(200);
    store(&server, &json!({"ServiceSettings": {"EnableDeveloper": true}})).await;
    assert_eq!(*at(&config(&start(&server).await.unwrap()).await, "ServiceSettings.SiteURL"), "http://localhost:8065");
    store(&server, &json!({"ServiceSettings": {"EnableDeveloper": true, "SiteURL": ""}})).await;
    assert_eq!(*at(&config(&start(&server).await.unwrap()).await, "ServiceSettings.SiteURL"), "");
}

const MARK: &str = "SELECT value FROM systems WHERE name = 'QuarterdeckDefaults'";

/// Puts a document in the place of the active version, as it is.
async fn store(server: &TestServer, document: &Value) {
    let text = document.to_string().replace('\'', "''");
    server.execute(&format!("UPDATE configurations SET value = '{text}' WHERE active = TRUE")).await;
}

async fn logged_in(server: &Server) -> Client {
    Client::new(&format!("{}://{}", server.scheme(), server.addresses()[0])).log_in("admin").await
}

async fn config(server: &Server) -> Value {
    logged_in(server).await.config().await
}

//! Keys of the configuration in another letter case than today's, as earlier versions wrote them.

use reqwest::Method;
use serde_json::{Value, json};

use super::PLACEHOLDER;
use super::starting::start;
use crate::support::backdoor::texts_in;
use crate::support::config_place::version_of;
use crate::support::configuration::{at, named};
use crate::support::{Client, LocalServer, Reply, TestServer};

const INVALID: &str = "api.context.invalid_body_param.app_error";

#[actix_web::test]
async fn a_patch_and_a_replacement_take_keys_in_any_letter_case_and_store_todays() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let patch = json!({
        "SamlSettings": {"IdpUrl": "https://idp.example"},
        "elasticsearchsettings": {"ConnectionUrl": "https://search.example"},
        "GitLabSettings": {"UserApiEndpoint": "https://git.example/user"},
        "ClusterSettings": {"UseIpAddress": false},
        "NativeAppSettings": {"AppCustomUrlSchemes": ["chat://"]},
        "DisplaySettings": {"CustomUrlSchemes": ["git"]},
        "LogSettings": {"AdvancedLoggingJson": {"File": {
            "Type": "file", "Levels": [{"ID": 5, "Name": "debug"}], "Options": {"Filename": "x.log"},
        }}},
        "ExperimentalAuditSettings": {"AdvancedLoggingJSON": {"A": {
            "Type": "console", "Levels": [{"ID": 100, "Name": "audit-api"}], "Options": {"Out": "stdout"},
        }}},
        "PluginSettings": {"PluginStates": {"Com.Example": {"enable": true}}},
        "TeamSettings": {"Newer": 1},
    });
    let patched = admin.put("/config/patch", patch).await;
    assert_eq!(patched.header("x-config-unknown"), "/TeamSettings/Newer");
    let expected = [
        ("SamlSettings.IdpURL", json!("https://idp.example")),
        ("ElasticsearchSettings.ConnectionURL", json!("https://search.example")),
        ("GitLabSettings.UserAPIEndpoint", json!("https://git.example/user")),
        ("ClusterSettings.UseIPAddress", json!(false)),
        ("NativeAppSettings.AppCustomURLSchemes", json!(["chat://"])),
        ("DisplaySettings.CustomURLSchemes", json!(["git"])),
        (
            "LogSettings.AdvancedLoggingJSON.File",
            json!({"type": "file", "levels": [{"id": 5, "name": "debug"}], "options": {"filename": "x.log"}}),
        ),
        (
            "ExperimentalAuditSettings.AdvancedLoggingJSON.A",
            json!({"type": "console", "levels": [{"id": 100, "name": "audit-api"}], "options": {"out": "stdout"}}),
        ),
    ];
    let answer = patched.expect(200);
    for (path, value) in &expected {
        assert_eq!(at(&answer, path), value, "{path}");
    }
    assert_eq!(answer["PluginSettings"]["PluginStates"]["Com.Example"], json!({"Enable": true}));
    assert_eq!(answer["SamlSettings"].get("IdpUrl"), None);

    let lower = json!({"servicesettings": {"siteurl": ""}, "teamsettings": {"sitename": "lower"}});
    let replaced = admin.put("/config", lower).await;
    assert_eq!(replaced.header("x-config-unknown"), "");
    assert_eq!(*at(&replaced.expect(200), "TeamSettings.SiteName"), "lower");
}

#[actix_web::test]
async fn two_spellings_of_one_key_are_refused_with_both_and_nothing_is_stored() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let body = r#"{"EmailSettings": {"SMTPPassword": "canary", "SmtpPassword": "canary"}, "teamSettings": {}, "TEAMSETTINGS": {}}"#;
    for path in ["/config", "/config/patch", "/config/patch?dry_run=true"] {
        let refused = send(&admin, Method::PUT, path, body).await;
        refused.expect_refusal(400, INVALID);
        let errors = &refused.json()["errors"];
        assert_eq!(named(errors, "pointer"), ["/EmailSettings/SMTPPassword", "/TeamSettings"]);
        assert_eq!(errors[0]["id"], "api.config.doubled_key.app_error");
        let words = "This setting is given twice, as SMTPPassword and as SmtpPassword; send it once.";
        assert_eq!(errors[0]["message"], words);
        assert!(!refused.text().contains("canary"));
    }
    for path in ["/email/test", "/file/test"] {
        send(&admin, Method::POST, path, body).await.expect_refusal(400, INVALID);
    }
    assert_eq!(admin.versions().await, Vec::<Value>::new());
}

#[actix_web::test]
async fn a_key_that_one_object_has_twice_is_refused_with_its_place_and_nothing_is_stored() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let body = r#"{"TeamSettings": {"SiteName": "canary", "SiteName": "canary"},
        "PluginSettings": {"Plugins": {"one": {"list": [{"key": "canary", "key": "canary"}]}}}, "Own": 1, "Own": 2}"#;
    for path in ["/config", "/config/patch", "/config/patch?dry_run=true"] {
        let refused = send(&admin, Method::PUT, path, body).await;
        refused.expect_refusal(400, INVALID);
        let errors = &refused.json()["errors"];
        let pointers = ["/TeamSettings/SiteName", "/PluginSettings/Plugins/one/list/0/key", "/Own"];
        assert_eq!(named(errors, "pointer"), pointers);
        assert_eq!(errors[0]["id"], "api.config.doubled_key.app_error");
        assert_eq!(errors[0]["message"], "The key SiteName is given twice within one object; send it once.");
        assert!(!refused.text().contains("canary"));
    }
    for path in ["/email/test", "/file/test"] {
        send(&admin, Method::POST, path, body).await.expect_refusal(400, INVALID);
    }
    assert_eq!(admin.versions().await, Vec::<Value>::new());
}

#[actix_web::test]
async fn another_spelling_gets_around_no_permission_and_no_protection() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let manager = server.staff(&admin, "mona", "system_manager").await;
    let patch = json!({
        "serviceSettings": {"readtimeout": 301},
        "passwordsettings": {"minimumlength": 20},
        "PasswordSettings": null,
    });
    manager.put("/config/patch", patch).await.expect_refusal(400, INVALID);
    let patch = json!({"serviceSettings": {"readtimeout": 301}, "passwordsettings": {"minimumlength": 20}});
    let answer = manager.put("/config/patch", patch).await.expect(200);
    assert_eq!(*at(&answer, "ServiceSettings.ReadTimeout"), 301);
    assert_eq!(*at(&answer, "PasswordSettings.MinimumLength"), 8);
    for (section, key, value) in
        [("pluginsettings", "enableuploads", json!(true)), ("IMPORTSETTINGS", "DIRECTORY", json!("./elsewhere"))]
    {
        let refused = admin.put("/config/patch", json!({section: {key: value}})).await;
        refused.expect_refusal(403, "api.config.update_config.not_allowed_security.app_error");
    }
    admin.set("ServiceSettings.SiteURL", "https://chat.example").await.expect(200);
    let cleared = admin.put("/config/patch", json!({"servicesettings": {"SiteUrl": ""}})).await;
    cleared.expect_refusal(400, "api.config.update_config.clear_siteurl.app_error");
}

#[actix_web::test]
async fn a_masked_secret_in_another_spelling_keeps_the_secret_and_goes_to_no_other_host() {
    let server = LocalServer::start().await;
    let admin = server.server.admin().await;
    let manager = server.server.staff(&admin, "mona", "system_manager").await;
    let stored = json!({"EmailSettings": {"SmtpPassword": "canary-mail", "SmtpServer": "mail.example"}});
    let answer = admin.put("/config/patch", stored).await;
    assert!(!answer.text().contains("canary"));
    let masked = json!({"emailsettings": {"smtppassword": PLACEHOLDER, "feedbackname": "x"}});
    let answer = admin.put("/config/patch", masked).await;
    assert_eq!((answer.header("x-config-unset"), answer.header("x-config-unknown")), (String::new(), String::new()));
    assert_eq!(*at(&answer.expect(200), "EmailSettings.SMTPPassword"), PLACEHOLDER);
    let moved = json!({"emailsettings": {"SmtpServer": "evil.example", "SmtpPassword": PLACEHOLDER}});
    manager.put("/config/patch", moved).await.expect_refusal(400, "api.config.reenter_secret.app_error");
    let local = server.local.config().await;
    assert_eq!(*at(&local, "EmailSettings.SMTPPassword"), "canary-mail");
    assert_eq!(*at(&local, "EmailSettings.SMTPServer"), "mail.example");
    for version in admin.versions().await {
        let shown = admin.get(&format!("/config/versions/{}", version["id"].as_str().unwrap())).await;
        assert!(!version.to_string().contains("canary") && !shown.text().contains("canary"));
    }
}

#[actix_web::test]
async fn a_dry_run_and_the_record_of_a_version_name_todays_spelling() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let patch = json!({"teamsettings": {"SITENAME": "one"}});
    let preview = admin.put("/config/patch?dry_run=true", patch.clone()).await.expect(200);
    assert!(named(&preview["changes"], "path").contains(&"TeamSettings.SiteName".to_owned()), "{preview}");
    admin.put("/config/patch", patch).await.expect(200);
    let recorded = admin.versions().await[0]["changes"].clone();
    assert!(named(&recorded, "path").contains(&"TeamSettings.SiteName".to_owned()), "{recorded}");
}

/// Rows of an earlier version of this server hold settings in a spelling that it did not know.
#[actix_web::test]
async fn a_stored_version_is_read_compared_and_rolled_back_to_in_any_letter_case() {
    let server = LocalServer::start().await;
    let admin = server.server.admin().await;
    let set = json!({"EmailSettings": {"SMTPPassword": "canary-mail"}, "TeamSettings": {"SiteName": "one"}});
    let earlier = version_of(&admin.put("/config/patch", set).await);
    let renamed = r#"replace(replace(value, '"SMTPPassword"', '"SmtpPassword"'), '"TeamSettings"', '"teamsettings"')"#;
    server.server.execute(&format!("UPDATE configurations SET value = {renamed} WHERE id = '{earlier}'")).await;
    server.server.server.reload().await.unwrap();
    let local = server.local.config().await;
    assert_eq!(*at(&local, "EmailSettings.SMTPPassword"), "canary-mail");
    assert_eq!(*at(&local, "TeamSettings.SiteName"), "one");
    let shown = admin.get(&format!("/config/versions/{earlier}")).await;
    assert!(!shown.text().contains("canary"), "a secret in another spelling is hidden");
    assert_eq!(*at(&shown.json(), "config.EmailSettings.SMTPPassword"), PLACEHOLDER);

    let later = version_of(&admin.set("TeamSettings.SiteName", "two").await);
    let value =
        format!("SELECT id FROM configurations WHERE id = '{later}' AND replace(value, 'SmtpPassword', '') <> value");
    assert_eq!(texts_in(server.server.folder(), &value).await, [""; 0]);
    let changes = admin.get(&format!("/config/versions/{earlier}/difference/{later}")).await.expect(200);
    assert_eq!(named(&changes, "path"), ["TeamSettings.SiteName"]);
    admin.post(&format!("/config/versions/{earlier}/rollback"), json!({})).await.expect(200);
    let local = server.local.config().await;
    assert_eq!(*at(&local, "EmailSettings.SMTPPassword"), "canary-mail");
    assert_eq!(*at(&local, "TeamSettings.SiteName"), "one");
}

/// Earlier versions of this server kept keys that they did not know beside today's.
#[actix_web::test]
async fn of_two_spellings_in_a_stored_version_todays_wins_and_the_other_is_dropped_with_the_next_change() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.set("TeamSettings.SiteName", "today").await.expect(200);
    let doubled = r#"replace(value, '"SiteName": "today"', '"SiteName": "today", "sitename": "kept unread"')"#;
    server.execute(&format!("UPDATE configurations SET value = {doubled} WHERE active = TRUE")).await;
    start(&server).await.unwrap();
    server.server.reload().await.unwrap();
    assert_eq!(admin.setting("TeamSettings.SiteName").await, "today");
    admin.set("TeamSettings.MaxUsersPerTeam", 51).await.expect(200);
    let left = "SELECT id FROM configurations WHERE active = TRUE AND value LIKE '%kept unread%'";
    assert_eq!(texts_in(server.folder(), left).await, [""; 0]);
}

async fn send(client: &Client, method: Method, path: &str, body: &str) -> Reply {
    client.send(method, path, Some(body.to_owned()), &[]).await
}

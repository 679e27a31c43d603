//! A stored or pinned secret is not sent to another destination after a change of its companions.

use serde_json::{Value, json};

use super::PLACEHOLDER;
use crate::support::configuration::{at, nested, put_at};
use crate::support::trail::newest_in;
use crate::support::{Client, LocalServer, Reply, TestServer};

const REENTER: &str = "api.config.reenter_secret.app_error";
const HEADER: &str = "x-config-secrets-kept";
const PASSWORD: &str = "EmailSettings.SMTPPassword";

/// Secrets with a companion that a system manager may write, and another value for it.
const MOVES: [(&str, &[(&str, &str)]); 5] = [
    (
        PASSWORD,
        &[
            ("EmailSettings.SMTPServer", "evil.example"),
            ("EmailSettings.SMTPPort", "2525"),
            ("EmailSettings.ConnectionSecurity", "TLS"),
            ("EmailSettings.SMTPUsername", "mallory"),
            ("EmailSettings.SkipServerCertificateVerification", "true"),
        ],
    ),
    (
        "FileSettings.AmazonS3SecretAccessKey",
        &[
            ("FileSettings.AmazonS3Endpoint", "evil.example"),
            ("FileSettings.AmazonS3Bucket", "other"),
            ("FileSettings.AmazonS3Region", "other"),
            ("FileSettings.AmazonS3AccessKeyId", "other"),
            ("FileSettings.AmazonS3SSL", "false"),
        ],
    ),
    (
        "FileSettings.AzureAccessKey",
        &[
            ("FileSettings.AzureEndpoint", "evil.example"),
            ("FileSettings.AzureStorageAccount", "other"),
            ("FileSettings.AzureContainer", "other"),
            ("FileSettings.AzureSSL", "false"),
        ],
    ),
    ("FileSettings.ExportAmazonS3SecretAccessKey", &[("FileSettings.ExportAmazonS3Endpoint", "evil.example")]),
    ("FileSettings.ExportAzureAccessKey", &[("FileSettings.ExportAzureEndpoint", "evil.example")]),
];

fn value(text: &str) -> Value {
    serde_json::from_str(text).ok().filter(Value::is_boolean).unwrap_or_else(|| json!(text))
}

fn with(mut body: Value, path: &str, value: impl Into<Value>) -> Value {
    put_at(&mut body, path, value);
    body
}

fn expect_reentry(reply: &Reply, secret: &str) {
    reply.expect_refusal(400, REENTER);
    let errors = reply.json()["errors"].clone();
    assert_eq!(errors[0]["pointer"], format!("/{}", secret.replace('.', "/")), "{errors}");
    assert!(reply.json()["message"].as_str().unwrap().contains(secret), "{}", reply.text());
}

async fn patch(client: &Client, body: Value) -> Reply {
    client.put("/config/patch", body).await
}

#[actix_web::test]
async fn a_delegated_administrator_enters_the_secret_again_to_change_where_it_goes() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let manager = server.staff(&admin, "mona", "system_manager").await;
    for (secret, _) in MOVES {
        admin.set(secret, "aHVudGVyMg==").await.expect(200);
    }
    let versions = admin.versions().await.len();
    for (secret, moves) in MOVES {
        for (companion, other) in moves {
            let change = nested(companion, value(other));
            expect_reentry(&patch(&manager, change.clone()).await, secret);
            expect_reentry(&patch(&manager, with(change.clone(), secret, PLACEHOLDER)).await, secret);
            expect_reentry(&manager.put("/config/patch?dry_run=true", change.clone()).await, secret);
            let whole = with(manager.config().await, companion, value(other));
            expect_reentry(&manager.put("/config", whole).await, secret);
            let entered = with(change, secret, "ZW50ZXJlZA==");
            let answer = manager.put("/config/patch?dry_run=true", entered).await;
            answer.expect(200);
            assert_eq!(answer.header(HEADER), "");
        }
    }
    assert_eq!(admin.versions().await.len(), versions, "nothing of it was stored");
    let other = json!({ "EmailSettings": { "FeedbackName": "Bridge" } });
    patch(&manager, other).await.expect(200);
    let seen = manager.config().await;
    manager.put("/config", seen).await.expect(200);
}

#[actix_web::test]
async fn a_system_administrator_keeps_the_secret_and_is_told() {
    let stand = LocalServer::start().await;
    let (server, local) = (&stand.server, &stand.local);
    let admin = server.admin().await;
    admin.set(PASSWORD, "hunter2").await.expect(200);
    let before = admin.versions().await[0]["id"].as_str().unwrap().to_owned();
    let dry = admin.put("/config/patch?dry_run=true", nested("EmailSettings.SMTPServer", "mail.example")).await;
    assert_eq!(dry.expect(200)["kept"], json!([PASSWORD]));
    assert_eq!(dry.header(HEADER), PASSWORD);
    let kept = admin.set("EmailSettings.SMTPServer", "mail.example").await;
    kept.expect(200);
    assert_eq!(kept.header(HEADER), PASSWORD);
    admin.audits().await;
    let record = newest_in(server.folder(), "patchConfig").await;
    assert_eq!(record["parameters"]["secrets_kept"], json!([PASSWORD]), "{record}");
    let back = admin.post(&format!("/config/versions/{before}/rollback"), json!({})).await;
    back.expect(200);
    assert_eq!(back.header(HEADER), PASSWORD);
    let unrelated = admin.set("TeamSettings.SiteName", "Bridge").await;
    assert_eq!((unrelated.status, unrelated.header(HEADER)), (200, String::new()));
    let on_socket = local.set("EmailSettings.SMTPServer", "other.example").await;
    assert_eq!((on_socket.status, on_socket.header(HEADER).as_str()), (200, PASSWORD));
    assert_eq!(*at(&local.config().await, PASSWORD), "hunter2");
}

/// Does the same as `mmctl config set KEY VALUE`: sends back the document that it read, with one member changed.
async fn mmctl_config_set(client: &Client, path: &str, other: impl Into<Value>) -> Reply {
    let read = client.get("/config").await.expect(200);
    patch(client, with(read, path, other)).await
}

#[actix_web::test]
async fn mmctl_sets_one_setting_with_secrets_stored_and_the_trail_says_which_stayed() {
    let stand = LocalServer::start().await;
    let (server, local) = (&stand.server, &stand.local);
    let admin = server.admin().await;
    let plugin = json!({ "com.example": { "Url": "https://own.example", "Token": "hunter2" } });
    patch(&admin, nested("PluginSettings.Plugins", plugin.clone())).await.expect(200);
    for (secret, _) in MOVES {
        admin.set(secret, "aHVudGVyMg==").await.expect(200);
    }
    for (secret, moves) in MOVES {
        for (companion, other) in moves {
            let set = mmctl_config_set(&admin, companion, value(other)).await;
            let answered = set.expect(200);
            assert_eq!(*at(&answered, companion), value(other));
            assert_eq!(*at(&answered, secret), PLACEHOLDER);
            assert_eq!(set.header(HEADER), secret, "{companion}");
            admin.audits().await;
            let record = newest_in(server.folder(), "patchConfig").await;
            assert_eq!(record["parameters"]["secrets_kept"], json!([secret]), "{companion}: {record}");
            assert!(!record.to_string().contains("aHVudGVyMg=="), "{record}");
        }
    }
    // `config edit` replaces the whole document by an edited copy.
    let edited = with(admin.config().await, "EmailSettings.SMTPServer", "edited.example");
    let edit = admin.put("/config", edited).await;
    assert_eq!((edit.status, edit.header(HEADER).as_str()), (200, PASSWORD));
    admin.audits().await;
    let record = newest_in(server.folder(), "updateConfig").await;
    assert_eq!(record["parameters"]["secrets_kept"], json!([PASSWORD]), "{record}");
    // A setting that is no companion of a secret requires no secret.
    let unrelated = mmctl_config_set(&admin, "TeamSettings.SiteName", "Bridge").await;
    assert_eq!((unrelated.status, unrelated.header(HEADER)), (200, String::new()));
    // Over the local socket secrets are read and written in clear.
    mmctl_config_set(local, "EmailSettings.SMTPServer", "local.example").await.expect(200);
    let stored = local.config().await;
    for (secret, _) in MOVES {
        assert_eq!(*at(&stored, secret), "aHVudGVyMg==", "{secret}");
    }
    assert_eq!(*at(&stored, "PluginSettings.Plugins"), plugin);
    assert_eq!(*at(&stored, "EmailSettings.SMTPServer"), "local.example");
}

#[actix_web::test]
async fn a_pinned_secret_goes_elsewhere_with_nobody_who_does_not_know_it() {
    let pinned = "[EmailSettings]\nSMTPPassword = \"hunter2\"\nSMTPPort = \"465\"\n";
    let server = TestServer::start_with(pinned).await;
    let admin = server.admin().await;
    let manager = server.staff(&admin, "mona", "system_manager").await;
    let change = nested("EmailSettings.SMTPServer", "evil.example");
    expect_reentry(&patch(&manager, change.clone()).await, PASSWORD);
    // A submitted secret does not replace a pinned one.
    expect_reentry(&patch(&manager, with(change.clone(), PASSWORD, "a guess")).await, PASSWORD);
    patch(&manager, with(change, PASSWORD, "hunter2")).await.expect(200);
    // A pinned companion does not change.
    let unmoved = patch(&manager, nested("EmailSettings.SMTPPort", "2525")).await;
    assert_eq!((unmoved.status, unmoved.header(HEADER)), (200, String::new()));
    let told = admin.set("EmailSettings.SMTPServer", "mail.example").await;
    assert_eq!((told.status, told.header(HEADER).as_str()), (200, PASSWORD));
}

#[actix_web::test]
async fn a_secret_of_a_plugin_that_stays_while_its_settings_change_is_told() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let plugin = |url: &str, token: &str| {
        nested("PluginSettings.Plugins", json!({ "com.example": { "Url": url, "Token": token } }))
    };
    patch(&admin, plugin("https://own.example", "hunter2")).await.expect(200);
    let kept = patch(&admin, plugin("https://evil.example", PLACEHOLDER)).await;
    assert_eq!((kept.status, kept.header(HEADER).as_str()), (200, "PluginSettings.Plugins.com.example"));
    let entered = patch(&admin, plugin("https://other.example", "entered")).await;
    assert_eq!((entered.status, entered.header(HEADER)), (200, String::new()));
}

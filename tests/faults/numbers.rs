//! Extreme numbers in settings are refused with a reason, or harmless.

use quarterdeck::server::{Server, StartError};
use quarterdeck::settings::Sources;
use serde_json::json;

use crate::support::configuration::LocalServer;
use crate::support::server::{PASSWORD, account, write_settings};
use crate::support::{Client, database};

const EXTREMES: [i64; 5] = [i64::MIN, -1, 0, 1 << 32, i64::MAX];

/// Settings with numbers that the server multiplies, narrows or adds to a clock, and that apply at once.
const APPLIED_AT_ONCE: [&str; 20] = [
    "ServiceSettings.TLSStrictTransportMaxAge",
    "ServiceSettings.MaximumLoginAttempts",
    "ServiceSettings.GoroutineHealthThreshold",
    "ServiceSettings.SessionLengthWebInHours",
    "ServiceSettings.SessionLengthMobileInHours",
    "ServiceSettings.SessionCacheInMinutes",
    "ServiceSettings.SessionIdleTimeoutInMinutes",
    "ServiceSettings.MaximumPayloadSizeBytes",
    "ServiceSettings.MaximumURLLength",
    "TeamSettings.MaxUsersPerTeam",
    "TeamSettings.UserStatusAwayTimeout",
    "LogSettings.MaxFieldSize",
    "FileSettings.MaxFileSize",
    "FileSettings.MaxImageResolution",
    "EmailSettings.SMTPServerTimeout",
    "RateLimitSettings.PerSec",
    "RateLimitSettings.MaxBurst",
    "RateLimitSettings.MemoryStoreSize",
    "AnnouncementSettings.NoticesFetchFrequency",
    "AnalyticsSettings.MaxUsersForStatistics",
];

/// Settings with numbers that apply when the server starts.
const APPLIED_AT_START: [&str; 11] = [
    "ServiceSettings.ReadTimeout",
    "ServiceSettings.WriteTimeout",
    "ServiceSettings.IdleTimeout",
    "SqlSettings.MaxIdleConns",
    "SqlSettings.MaxOpenConns",
    "SqlSettings.ConnMaxLifetimeMilliseconds",
    "SqlSettings.ConnMaxIdleTimeMilliseconds",
    "SqlSettings.QueryTimeout",
    "LogSettings.MaxFieldSize",
    "RateLimitSettings.PerSec",
    "RateLimitSettings.MaxBurst",
];

#[actix_web::test]
async fn a_number_at_its_extremes_is_refused_with_a_reason_or_does_no_harm() {
    let running = LocalServer::start().await;
    let LocalServer { server, local, .. } = &running;
    local.post("/users", account("admin")).await.expect(201);
    let (mut accepted, mut refused) = (0, 0);
    local.set("RateLimitSettings.Enable", true).await.expect(200);
    for path in APPLIED_AT_ONCE {
        let before = local.setting(path).await;
        for value in EXTREMES {
            let reply = local.set(path, value).await;
            if reply.status == 400 {
                let refusal = reply.json();
                assert!(refusal["id"].as_str().unwrap().starts_with("model.config.is_valid."), "{path}: {refusal}");
                assert_ne!(refusal["message"], refusal["id"], "the id has no text");
                refused += 1;
                continue;
            }
            assert_eq!(reply.status, 200, "{path} = {value}: {}", reply.text());
            assert_harmless(&server.client(), &format!("{path} = {value}")).await;
            local.set(path, before.clone()).await.expect(200);
            accepted += 1;
        }
    }
    assert!(accepted > 30 && refused > 20, "{accepted} were accepted, {refused} refused");
}

/// Logs in and requests the caller's account. A limit may refuse that, but the server must not fail.
async fn assert_harmless(client: &Client, what: &str) {
    let login = json!({ "login_id": "admin", "password": PASSWORD });
    let reply = client.post("/users/login", login).await;
    assert!(reply.status < 500, "{what}: {}", reply.text());
    let reply = client.with_token(&reply.header("token")).get("/users/me").await;
    assert!(reply.status < 500, "{what}: {}", reply.text());
}

#[actix_web::test]
async fn a_server_starts_with_a_number_at_its_extremes_unless_a_rule_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = database::fresh(folder.path()).await;
    let file = write_settings(folder.path(), &database, "[RateLimitSettings]\nEnable = true\n");
    let (mut started, mut refused) = (0, 0);
    for path in APPLIED_AT_START {
        let variable = format!("MM_{}", path.replace('.', "_").to_uppercase());
        for value in [i64::MIN, -1, 0, 1 << 40, i64::MAX] {
            let sources = Sources::isolated(Some(file.clone()), vec![(variable.clone(), value.to_string())]);
            match Server::start(sources.load().unwrap(), sources).await {
                Ok(server) => {
                    let client = Client::new(&format!("http://{}", server.addresses()[0]));
                    client.get("/system/ping").await.expect(200);
                    server.stop().await.unwrap();
                    started += 1;
                }
                Err(StartError::Configuration(reason)) => {
                    // The text comes from a rule, not from the parser of numbers.
                    assert!(!reason.contains("integer"), "{path} = {value}: {reason}");
                    assert!(reason.contains(&variable), "{path} = {value}: {reason}");
                    refused += 1;
                }
                Err(other) => panic!("{path} = {value}: {other}"),
            }
        }
    }
    assert_eq!((started, refused), (30, 25));
}

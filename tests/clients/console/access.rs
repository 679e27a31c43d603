//! The requests of the console repeated by callers without its rights, and the pages and settings of each role.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use super::{logs, play};
use crate::support::{Client, Reply, TestServer, needs};

/// The operations that answer a plain account too: accounts as others see them, the licence and the configuration for
/// clients, the limits without counts, notices for users, public roles, and the state of the server without details.
const OPEN_TO_ACCOUNTS: [&str; 11] = [
    "GET /readyz",
    "GET /api/v4/config/client",
    "GET /api/v4/license/client",
    "GET /api/v4/limits/server",
    "GET /api/v4/system/notices/ID",
    "GET /api/v4/system/ping",
    "GET /api/v4/trial-license/prev",
    "GET /api/v4/users/ID",
    "GET /api/v4/users/me",
    "POST /api/v4/roles/names",
    "POST /api/v4/users/ids",
];

/// The part of these that answers a visitor.
const OPEN_TO_VISITORS: [&str; 4] =
    ["GET /readyz", "GET /api/v4/config/client", "GET /api/v4/license/client", "GET /api/v4/system/ping"];

/// The number of characters of an id.
const ID_CHARACTERS: usize = 26;

/// A text in the values of settings that no client is told.
const PLANTED: &str = "planted-";

#[actix_web::test]
async fn no_request_of_the_console_gives_a_visitor_or_a_plain_account_a_setting() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_with(&logs::settings_with_log(folder.path())).await;
    let admin = server.admin().await;
    let plain = server.user(&admin, "plain").await;
    server.user(&admin, "other").await;
    let planted = json!({
        "EmailSettings": { "SMTPServer": "127.0.0.1", "SMTPPort": "1", "EnableSMTPAuth": true, "SMTPUsername": "planted-name", "SMTPPassword": "planted-secret" },
        "FileSettings": { "AmazonS3Bucket": "planted-bucket", "AmazonS3AccessKeyId": "planted-key", "AmazonS3SecretAccessKey": "planted-key-2" },
        "LdapSettings": { "LdapServer": "planted-directory", "BindUsername": "planted-bind" },
        "ImageProxySettings": { "RemoteImageProxyOptions": "planted-options" },
        "CacheSettings": { "RedisAddress": "planted-cache" },
    });
    admin.put("/config/patch?comment=planted-comment", planted).await.expect(200);
    let steps = play("access.mjs", [browser, console], &server.base, "").await;
    let sent = steps[0]["sent"].as_array().unwrap();
    let operations: BTreeSet<String> = sent.iter().map(operation).collect();
    assert!(operations.len() > 28, "{operations:?}");
    for path in ["config", "config/schema", "config/patch", "config/versions", "audits", "logs/query", "file/test"] {
        assert!(operations.iter().any(|one| one.ends_with(&format!("/api/v4/{path}"))), "{path} in {operations:?}");
    }
    let visitor = Client::new(&server.base);
    for (caller, open) in [(&visitor, &OPEN_TO_VISITORS[..]), (&plain, &OPEN_TO_ACCOUNTS[..])] {
        for request in sent {
            let reply = repeat(caller, request).await;
            let text = reply.text();
            assert!(!text.contains(PLANTED), "{request}: {text}");
            let is_open = open.contains(&operation(request).as_str());
            assert!(is_open || (400..500).contains(&reply.status), "{request}: {} {text}", reply.status);
            assert!(!text.contains("Settings\":") && !text.contains("Settings."), "{request}: {text}");
        }
    }
}

/// Returns method and path of a request, without its query and with `ID` for ids.
fn operation(request: &Value) -> String {
    let path = request["path"].as_str().unwrap().split('?').next().unwrap();
    let parts = path.split('/').map(|part| if part.len() == ID_CHARACTERS { "ID" } else { part });
    format!("{} {}", request["method"].as_str().unwrap(), parts.collect::<Vec<_>>().join("/"))
}

async fn repeat(caller: &Client, request: &Value) -> Reply {
    let method: Method = request["method"].as_str().unwrap().parse().unwrap();
    let body = request["body"].as_str().map(str::to_owned);
    let path = format!("/{}", request["path"].as_str().unwrap());
    caller.send(method, &path, body, &[("X-Requested-With", "XMLHttpRequest")]).await
}

/// A page with contents of its own, and the permissions of which a caller needs one.
const OWN_PAGES: [(&str, &[&str]); 13] = [
    ("reporting/dashboard", &[]),
    ("about/api", &[]),
    ("about/license", &[]),
    ("reporting/system_analytics", &[]),
    ("environment/tools", &[]),
    ("environment/file_storage", &["manage_system", "sysconsole_read_environment_file_storage"]),
    ("environment/export_storage", &["manage_system", "sysconsole_read_environment_file_storage"]),
    ("reporting/configuration_history", &["manage_system"]),
    ("site_config/notices", &["manage_system", "sysconsole_read_site_notices"]),
    ("user_management/users", &["sysconsole_read_user_management_users"]),
    ("user_management/permissions", &["manage_system", "sysconsole_read_user_management_permissions"]),
    ("reporting/server_logs", &["get_logs"]),
    ("compliance/audit_logging", &["read_audits"]),
];

/// The roles that come with the server and are about the system, with the least and the largest number of their pages.
const ROLES: [(&str, std::ops::RangeInclusive<usize>); 7] = [
    ("system_admin", 55..=80),
    ("system_manager", 40..=70),
    ("system_read_only_admin", 40..=70),
    ("system_user_manager", 8..=20),
    ("system_custom_group_admin", 0..=0),
    ("shared_channel_manager", 0..=0),
    ("secure_connection_manager", 0..=0),
];

#[actix_web::test]
async fn each_role_sees_its_pages_and_edits_its_settings_only() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_with(&logs::settings_with_log(folder.path())).await;
    let admin = server.admin().await;
    for (role, count) in ROLES {
        let name = role.replace('_', ".");
        let caller = server.staff(&admin, &name, role).await;
        let steps = play("roles.mjs", [browser.clone(), console.clone()], &server.base, &name).await;
        let seen = &steps[0];
        let menu: BTreeSet<&str> = seen["menu"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        assert!(count.contains(&menu.len()), "{role} sees {} pages: {menu:?}", menu.len());
        let Some((pages, writable)) = described(&caller).await else {
            assert_eq!(seen["heading"], "No access to the System Console", "{role}");
            continue;
        };
        let own: BTreeMap<&str, &[&str]> = OWN_PAGES.into_iter().collect();
        let permissions = permissions_of(&caller, role).await;
        let may_see = |needs: &[&str]| needs.is_empty() || needs.iter().any(|one| permissions.contains(*one));
        let others = pages.iter().map(String::as_str).filter(|page| !own.contains_key(page));
        let expected: BTreeSet<&str> =
            others.chain(own.iter().filter(|(_, needs)| may_see(needs)).map(|(page, _)| *page)).collect();
        assert_eq!(menu, expected, "{role}");
        assert_eq!(seen["refused"], json!([]), "{role}: nothing is offered that the server refuses");
        for (page, paths) in seen["enabled"].as_object().unwrap() {
            let paths = paths.as_array().unwrap();
            let not_his: Vec<_> = paths.iter().filter(|path| !writable.contains(path.as_str().unwrap())).collect();
            assert!(not_his.is_empty(), "{role} on {page}: {not_his:?}");
            assert!(role != "system_read_only_admin" || paths.is_empty(), "{page}: {paths:?}");
        }
        let is_administrator = role == "system_admin";
        assert_eq!(steps.len(), if is_administrator { 2 } else { 3 }, "{steps:?}");
    }
}

/// Returns the pages of settings of a caller, and the settings that the caller may write; `None` if it may see none.
async fn described(caller: &Client) -> Option<(Vec<String>, BTreeSet<String>)> {
    let reply = caller.get("/config/schema").await;
    if reply.status == 403 {
        return None;
    }
    let schema = reply.expect(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pages = schema["pages"].as_array().unwrap().iter().map(|page| text(&page["address"])).collect();
    let settings = schema["settings"].as_array().unwrap().iter().filter(|setting| setting["writable"] == true);
    Some((pages, settings.map(|setting| text(&setting["path"])).collect()))
}

async fn permissions_of(caller: &Client, role: &str) -> BTreeSet<String> {
    let roles = caller.post("/roles/names", json!(["system_user", role])).await.expect(200);
    let all = roles.as_array().unwrap().iter().flat_map(|role| role["permissions"].as_array().unwrap());
    all.map(|permission| permission.as_str().unwrap().to_owned()).collect()
}

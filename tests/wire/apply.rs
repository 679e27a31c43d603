//! Changed settings take effect with the next request, without a restart.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::configuration;
use crate::support::server::{PASSWORD, account};
use crate::support::{Client, Reply, TestServer};

/// A setting, its new value, and the effect for a caller.
struct Row {
    setting: &'static str,
    value: Value,
    who: Who,
    request: (Method, &'static str, Value),
    headers: &'static [(&'static str, &'static str)],
    seen: fn(&Reply) -> String,
    expected: &'static str,
}

#[derive(Clone, Copy)]
enum Who {
    Nobody,
    Member,
    Admin,
}

const ORIGIN: &[(&str, &str)] = &[("Origin", "https://other.example")];

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn rows() -> Vec<Row> {
    use Who::{Admin, Member, Nobody};
    let ping = || (Method::GET, "/system/ping", Value::Null);
    let login = || (Method::POST, "/users/login", json!({ "login_id": "admin", "password": PASSWORD }));
    let row = |setting, value, who, request, seen, expected| Row {
        setting,
        value,
        who,
        request,
        headers: &[],
        seen,
        expected,
    };
    let short = (Method::GET, "/system/ping?with=a&quite=long&query=string", Value::Null);
    let mut padded = account("carl");
    padded["nickname"] = json!("x".repeat(2000));
    vec![
        row("ServiceSettings.MaximumURLLength", json!(40), Nobody, short, status, "414"),
        Row {
            headers: ORIGIN,
            ..row(
                "ServiceSettings.AllowCorsFrom",
                json!("https://other.example"),
                Nobody,
                ping(),
                |reply| reply.header("access-control-allow-origin"),
                "https://other.example",
            )
        },
        row("RateLimitSettings.Enable", json!(true), Nobody, ping(), |reply| reply.header("x-ratelimit-limit"), "101"),
        row(
            "PasswordSettings.MinimumLength",
            json!(40),
            Admin,
            (Method::POST, "/users", account("carl")),
            status,
            "400",
        ),
        row(
            "TeamSettings.EnableUserCreation",
            json!(false),
            Nobody,
            (Method::POST, "/users", account("carl")),
            id,
            "api.user.create_user.signup_email_disabled.app_error",
        ),
        Row {
            headers: &[("X-Requested-With", "XMLHttpRequest")],
            ..row("ServiceSettings.SessionLengthWebInHours", json!(1), Nobody, login(), cookie_life, "Max-Age=3600")
        },
        row(
            "ServiceSettings.EnableDeveloper",
            json!(true),
            Member,
            (Method::POST, "/config/reload", json!({})),
            |reply| reply.json()["detailed_error"].to_string().contains("permission=").to_string(),
            "true",
        ),
        row(
            "ServiceSettings.ExperimentalEnableHardenedMode",
            json!(true),
            Nobody,
            (Method::GET, "/license/client?format=new", Value::Null),
            id,
            "",
        ),
        row(
            "ServiceSettings.TLSStrictTransport",
            json!(true),
            Nobody,
            ping(),
            |reply| reply.header("strict-transport-security"),
            "max-age=63072000",
        ),
        row("ServiceSettings.WebserverMode", json!("uncompressed"), Nobody, ping(), |reply| reply.header("vary"), ""),
        row(
            "ServiceSettings.MaximumPayloadSizeBytes",
            json!(1000),
            Admin,
            (Method::POST, "/users", padded),
            status,
            "413",
        ),
        row(
            "ServiceSettings.EnableUserAccessTokens",
            json!(true),
            Admin,
            (Method::POST, "/users/me/tokens", json!({ "description": "for a script" })),
            status,
            "200",
        ),
        row(
            "ServiceSettings.AllowedUntrustedInternalConnections",
            json!("127.0.0.1"),
            Admin,
            (Method::POST, "/site_url/test", json!({ "site_url": "http://127.0.0.1:1" })),
            |reply| reply.text().contains("127.0.0.1 cannot be reached").to_string(),
            "true",
        ),
        row("EmailSettings.EnableSignInWithUsername", json!(false), Nobody, login(), status, "401"),
        row(
            "PrivacySettings.ShowEmailAddress",
            json!(false),
            Member,
            (Method::GET, "/users/username/admin", Value::Null),
            |reply| reply.json()["email"].as_str().unwrap_or_default().to_owned(),
            "",
        ),
        row(
            "ClientRequirements.AndroidMinVersion",
            json!("9.9"),
            Nobody,
            ping(),
            |reply| reply.json()["AndroidMinVersion"].as_str().unwrap_or_default().to_owned(),
            "9.9",
        ),
        row(
            "SqlSettings.DisableDatabaseSearch",
            json!(true),
            Nobody,
            ping(),
            |reply| reply.json()["ActiveSearchBackend"].as_str().unwrap_or_default().to_owned(),
            "none",
        ),
        // This row is the last, because its restrictions cannot be undone.
        row(
            "ExperimentalSettings.RestrictSystemAdmin",
            json!(true),
            Admin,
            (Method::POST, "/config/reload", json!({})),
            status,
            "403",
        ),
    ]
}

/// Returns the time at which a change of the setting takes effect, according to the table.
fn class_of(setting: &str) -> Value {
    configuration::rows().into_iter().find(|row| row["json_path"] == setting).unwrap()["applies"].clone()
}

fn status(reply: &Reply) -> String {
    reply.status.to_string()
}

fn cookie_life(reply: &Reply) -> String {
    let cookie = reply.header("set-cookie");
    cookie.split("; ").find(|part| part.starts_with("Max-Age")).unwrap_or_default().to_owned()
}

fn id(reply: &Reply) -> String {
    reply.json()["id"].as_str().unwrap_or_default().to_owned()
}

impl Row {
    async fn ask(&self, clients: &[Client; 3]) -> String {
        let [nobody, member, admin] = clients;
        let client = match self.who {
            Who::Nobody => nobody,
            Who::Member => member,
            Who::Admin => admin,
        };
        let (method, path, body) = &self.request;
        let body = (!body.is_null()).then(|| body.to_string());
        (self.seen)(&client.send(method.clone(), path, body, self.headers).await)
    }

    async fn set(&self, admin: &Client, value: &Value) {
        let (section, key) = self.setting.split_once('.').unwrap();
        admin.put("/config/patch", json!({ section: { key: value } })).await.expect(200);
    }
}

#[actix_web::test]
async fn a_changed_setting_counts_with_the_next_request() {
    // A pinned SiteURL, so that even an administrator tests no internal address unless the setting allows it.
    let server = TestServer::start_with("[ServiceSettings]\nSiteURL = \"http://chat.example\"\n").await;
    let admin = server.admin().await;
    let clients = [server.client(), server.user(&admin, "bert").await, admin.clone()];
    let config = admin.get("/config").await.expect(200);
    for row in rows() {
        assert_eq!(class_of(row.setting), "now", "{}", row.setting);
        let before = config.pointer(&format!("/{}", row.setting.replace('.', "/"))).unwrap();
        assert_ne!(row.ask(&clients).await, row.expected, "{} before", row.setting);
        row.set(&admin, &row.value).await;
        assert_eq!(row.ask(&clients).await, row.expected, "{} after", row.setting);
        row.set(&admin, before).await;
    }
}

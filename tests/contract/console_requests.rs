//! The requests that the System Console of a Mattermost web application sends, as three callers send them.
//!
//! `requests.tsv` has the requests of all its pages, as they were recorded at a server of version 11.6 without a licence,
//! and the members of the answers. The three columns of statuses are those of this server.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::PASSWORD;
use crate::support::smtp::MailServer;
use crate::support::teams::{newcomer, open_team};
use crate::support::web_peer::WebPeer;
use crate::support::{Client, TestServer};

const REQUESTS: &str = include_str!("console_requests/requests.tsv");

/// The number of different methods and paths.
const RECORDED: usize = 53;

/// Answers to other callers with other members than the answer to the administrator: address, caller and members.
const OTHER_MEMBERS: [(&str, &str, &str); 3] = [
    ("/config/environment", "user", r#""null""#),
    // Only administrators are told if the server runs as root.
    (PING, "delegated", r#"{"database_status":"string","filestore_status":"string","status":"string"}"#),
    (PING, "user", r#"{"database_status":"string","filestore_status":"string","status":"string"}"#),
];

const PING: &str = "/system/ping?get_server_status=true&use_rest_semantics=true";

/// Things that a request names.
struct World {
    team: String,
    user: String,
    role: Value,
    site: String,
}

impl World {
    fn put(&self, text: &str) -> String {
        text.replace("{team}", &self.team)
            .replace("{user}", &self.user)
            .replace("{password}", PASSWORD)
            .replace("{site}", &self.site)
            .replace("{role}", self.role["id"].as_str().unwrap())
    }

    /// Returns a body. `config` is the configuration as the caller may read it.
    fn body(&self, text: &str, config: &Value) -> Option<String> {
        match text {
            "" => None,
            "{config}" => Some(config.to_string()),
            "{role}" => Some(self.role.to_string()),
            other => Some(self.put(other)),
        }
    }
}

/// Compares an answer with the recorded types of its members, and returns the places that differ.
fn differences(recorded: &Value, answer: &Value, place: &str) -> Vec<String> {
    let differs = |wanted: &str| vec![format!("{place}: {wanted} was recorded, here is {answer}")];
    match recorded {
        Value::String(kind) => {
            let is_it = match kind.as_str() {
                "number" => answer.is_number(),
                "string" => answer.is_string(),
                "boolean" => answer.is_boolean(),
                _ => answer.is_null(),
            };
            if is_it { Vec::new() } else { differs(kind) }
        }
        Value::Object(members) => {
            let Some(given) = answer.as_object() else { return differs("an object") };
            let each = members.iter().flat_map(|(name, kind)| match given.get(name) {
                Some(value) => differences(kind, value, &format!("{place}.{name}")),
                None => vec![format!("{place}.{name} is missing")],
            });
            each.collect()
        }
        Value::Array(kinds) => match (answer.as_array(), kinds.first()) {
            (None, _) => differs("a list"),
            (Some(_), None) => Vec::new(),
            (Some(given), Some(kind)) => match given.first() {
                Some(first) => differences(kind, first, &format!("{place}[0]")),
                None => differs("a list with an element"),
            },
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => differs("an unknown kind"),
    }
}

async fn delegate(server: &TestServer, admin: &Client, name: &str) {
    let roles = "system_user system_manager";
    server.execute(&format!("UPDATE users SET roles = '{roles}' WHERE username = '{name}'")).await;
    let of_user = format!("userid = (SELECT id FROM users WHERE username = '{name}')");
    server.execute(&format!("UPDATE sessions SET roles = '{roles}' WHERE {of_user}")).await;
    admin.post("/caches/invalidate", json!({})).await.expect_ok();
}

#[actix_web::test]
async fn each_recorded_request_has_its_outcome_for_each_caller() {
    let peer = WebPeer::start().await;
    let release = json!({
        "id": 7, "tag_name": "v11.7.0", "name": "11.7", "created_at": "2026-01-02T03:04:05Z",
        "published_at": "2026-01-03T03:04:05Z", "body": "", "html_url": "https://releases.example/11.7",
    });
    peer.answer(200, &release.to_string());
    let logs = tempfile::tempdir().unwrap();
    std::fs::write(logs.path().join("mattermost.log"), "").unwrap();
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let settings = format!(
        "[LogSettings]\nFileLocation = \"{}\"\n[EmailSettings]\nSMTPServer = \"127.0.0.1\"\nSMTPPort = \"{}\"\n\
         [Quarterdeck]\nLatestVersionURL = \"{}/latest\"\n",
        logs.path().display(),
        mail.port,
        peer.url()
    );
    let server = TestServer::start_with(&settings).await;
    let admin = server.admin().await;
    let delegated = server.user(&admin, "bert").await;
    let user = server.user(&admin, "carl").await;
    let dora = server.user(&admin, "dora").await;
    delegate(&server, &admin, "bert").await;
    let team = admin.found(open_team("crew")).await;
    admin.post(&format!("/teams/{team}/members"), newcomer(&team, &dora)).await.expect(201);
    // The lists of teams of the others have an element as well.
    let other = admin.found(open_team("harbour")).await;
    for member in [&delegated, &user] {
        admin.post(&format!("/teams/{other}/members"), newcomer(&other, member)).await.expect(201);
    }
    let world = World {
        team,
        user: dora.user_id,
        role: admin.get("/roles/name/system_user").await.expect(200),
        site: server.base.clone(),
    };
    // A user may not read the configuration, and sends that of an administrator.
    let (whole, readable) = (admin.config().await, delegated.config().await);
    let mut wrong = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for row in REQUESTS.lines().skip(1) {
        let [method, address, body, for_admin, for_delegated, for_user, members] =
            row.split('\t').collect::<Vec<_>>().try_into().unwrap();
        seen.insert((method, address.split('?').next().unwrap()));
        let callers = [
            ("administrator", &admin, for_admin, &whole),
            ("delegated", &delegated, for_delegated, &readable),
            ("user", &user, for_user, &whole),
        ];
        for (caller, client, status, config) in callers {
            let (path, body) = (world.put(address), world.body(body, config));
            let reply = client.send(method.parse::<Method>().unwrap(), &path, body, &[]).await;
            let case = format!("{method} {address} as {caller}");
            if reply.status != status.parse::<u16>().unwrap() || reply.status == 500 {
                let text: String = reply.text().chars().take(200).collect();
                wrong.push(format!("{case}: {} instead of {status}: {text}", reply.status));
            } else if reply.status == 200 && members != "-" {
                let own = OTHER_MEMBERS.iter().find(|(other, of, _)| (*other, *of) == (address, caller));
                let members = own.map_or(members, |(.., members)| members);
                let found = differences(&serde_json::from_str(members).unwrap(), &reply.json(), "answer");
                wrong.extend(found.into_iter().map(|difference| format!("{case}: {difference}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(seen.len(), RECORDED);
}

#[test]
fn a_member_that_is_missing_or_of_another_type_is_found() {
    let recorded = json!({ "a": "number", "b": [{ "c": "string" }], "d": "null" });
    assert!(differences(&recorded, &json!({ "a": 1, "b": [{ "c": "x", "more": 1 }], "d": null }), "x").is_empty());
    for answer in [
        json!({ "b": [{ "c": "x" }], "d": null }),
        json!({ "a": "1", "b": [{ "c": "x" }], "d": null }),
        json!({ "a": 1, "b": [], "d": null }),
        json!({ "a": 1, "b": [{}], "d": null }),
        json!({ "a": 1, "b": [{ "c": "x" }], "d": 5 }),
    ] {
        assert_eq!(differences(&recorded, &answer, "x").len(), 1, "{answer}");
    }
}

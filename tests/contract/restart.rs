//! `/restart` for servers that are named. `upgrade.rs` has the tests without a name, and `faults/nodes/restarts.rs` those with
//! several servers.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::trail::newest_in;
use crate::support::waiting::within;
use crate::support::{TestServer, database};

const RESTART: &str = "/restart";

#[actix_web::test]
async fn only_system_administrators_may_restart_named_servers_and_see_the_progress() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let manager = server.staff(&admin, "carla", "system_manager").await;
    for (method, path) in [(Method::POST, "/restart?servers=all"), (Method::GET, RESTART)] {
        let anonymous = server.client().send(method.clone(), path, None, &[]).await;
        anonymous.expect_refusal(401, "api.context.session_expired.app_error");
        for client in [&bert, &manager] {
            let refused = client.send(method.clone(), path, None, &[]).await;
            refused.expect_refusal(403, "api.context.permissions.app_error");
        }
    }
    let none = admin.get(RESTART).await.expect(200);
    assert_eq!(none, json!({ "state": "none", "leader": "", "begin_at": 0, "servers": [] }));
}

#[actix_web::test]
async fn a_restart_of_unknown_servers_or_with_wrong_parameters_is_refused() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for query in ["servers=some", "servers=all&server=a", "servers=all&within=9", "within=x"] {
        let refused = admin.post(&format!("{RESTART}?{query}"), json!({})).await;
        refused.expect_refusal(400, "api.context.invalid_url_param.app_error");
    }
    let unknown = admin.post("/restart?server=nowhere", json!({})).await;
    unknown.expect_refusal(404, "app.restart.unknown_server.app_error");
    assert!(timeout(Duration::ZERO, server.server.restart_wanted()).await.is_err(), "the server would restart");
    assert_eq!(admin.get(RESTART).await.expect(200)["state"], "none");
}

#[actix_web::test]
async fn a_server_without_others_restarts_itself_also_without_an_upgrade() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let name = own_name();
    for query in ["servers=all".to_owned(), format!("server={name}")] {
        if query != "servers=all" && database::base().is_some() {
            // The first restart is under way until the next run of this server is ready.
            let second = admin.post(&format!("{RESTART}?{query}"), json!({})).await;
            second.expect_refusal(409, "app.restart.in_progress.app_error");
            admin.audits().await;
            let record = newest_in(server.folder(), "restartServer").await;
            assert_eq!(record["status"], "fail");
            assert!(record["parameters"].get("servers").is_none(), "none of them restarts: {record}");
            continue;
        }
        admin.post(&format!("{RESTART}?{query}"), json!({})).await.expect_ok();
        within("the server wants to restart", server.server.restart_wanted()).await;
        admin.audits().await;
        let record = newest_in(server.folder(), "restartServer").await;
        assert_eq!((&record["status"], &record["parameters"]), (&json!("success"), &json!({ "servers": [name] })));
    }
    let progress = admin.get(RESTART).await.expect(200);
    let turn = json!([{ "name": name, "state": "restarting", "reason": Value::Null }]);
    let expected = if database::base().is_some() { ("running", turn) } else { ("none", json!([])) };
    assert_eq!((progress["state"].as_str().unwrap(), progress["servers"].clone()), expected);
}

/// Returns the name of a server without others: that of its host.
fn own_name() -> String {
    rustix::system::uname().nodename().to_str().unwrap().to_owned()
}

//! Critical actions after a login that is too long ago, and callers whose rights or sessions end while they work.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};

use super::play;
use crate::support::server::PASSWORD;
use crate::support::{TestServer, needs};

#[actix_web::test]
async fn a_critical_action_asks_for_the_password_again_and_goes_on() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let sessions = [old_session(&server).await, old_session(&server).await];
    admin.post("/caches/invalidate", json!({})).await.expect_ok();
    let more = json!({ "sessions": sessions, "person": bert.user_id }).to_string();
    let steps = play("guard.mjs", [browser, console], &server.base, &more).await;
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();

    let setting = step("setting");
    assert_eq!(setting["focus"], "input_password-input", "{setting}");
    assert!(setting["wrong"].as_str().unwrap().contains("password is wrong"), "{setting}");
    assert_eq!((&setting["back"], &setting["kept"]), (&json!("saveSetting"), &json!("9")), "{setting}");
    assert!(setting["notice"].as_str().unwrap().contains("15 minutes"), "{setting}");
    assert_eq!((&setting["saved"], &setting["violations"]), (&json!("9"), &json!([])), "{setting}");

    let question = step("question");
    assert_eq!(question["dialogs"], json!(["accountQuestion", "reauthentication"]), "{question}");
    assert!(question["refusal"].as_str().unwrap().contains("15 minutes"), "{question}");
    assert_eq!(question["kept"], question["typed"], "{question}");
    assert_eq!((&question["requests"], &question["back"]), (&json!(2), &json!("setPassword")), "{question}");
}

#[actix_web::test]
async fn an_administrator_whose_role_or_session_is_taken_leaves_at_once() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let deputy = server.user(&admin, "deputy").await;
    server.staff(&admin, "reader", "system_read_only_admin").await;
    let body = json!({ "roles": "system_admin system_user" });
    admin.put(&format!("/users/{}/roles", deputy.user_id), body).await.expect_ok();
    let more = json!({ "token": admin.token, "deputy": deputy.user_id }).to_string();
    let steps = play("leaving.mjs", [browser, console], &server.base, &more).await;
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();

    let ended = step("revoked");
    assert_eq!((&ended["kept"], &ended["after"]), (&json!("typed.example"), &json!("typed.example")), "{ended}");
    let less = step("less");
    assert_eq!((&less["before"], &less["after"]), (&json!(1), &json!(0)), "{less}");
    assert!(!less["page"].as_str().unwrap().contains("user_management/users"), "{less}");
    assert_eq!((&less["list"], &less["dialogs"]), (&json!(0), &json!(0)), "{less}");
    let demoted = step("demoted");
    assert_eq!(demoted["heading"], "No access to the System Console");
    assert_eq!((&demoted["focus"], &demoted["sidebar"], &demoted["fields"]), (&json!("H1"), &json!(0), &json!(0)));
    let text = demoted["text"].as_str().unwrap();
    assert!(text.contains("deputy") && !text.contains("SMTP"), "{demoted}");
    assert_eq!(demoted["violations"], json!([]));
    assert_eq!(step("out")["login"], 1);
    assert_eq!(step("refused")["heading"], "No access to the System Console", "without a socket, a refusal tells it");
}

/// Logs in as the console does, and stores that this was 20 minutes ago. Returns the cookies.
async fn old_session(server: &TestServer) -> Value {
    let body = json!({ "login_id": "admin", "password": PASSWORD, "require_reauthentication": true }).to_string();
    let script = [("X-Requested-With", "XMLHttpRequest")];
    let reply = server.client().send(Method::POST, "/users/login", Some(body), &script).await;
    reply.expect(200);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let (token, at) = (reply.header("token"), now - 20 * 60 * 1000);
    let cookies = reply.headers.get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
    let pairs = cookies.filter_map(|cookie| cookie.split(';').next()?.split_once('='));
    let cookies: Vec<Value> = pairs.map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let csrf = cookies.iter().find(|cookie| cookie["name"] == "MMCSRF").unwrap()["value"].as_str().unwrap();
    let props = json!({ "csrf": csrf, "auth_time": at.to_string() });
    server.execute(&format!("UPDATE sessions SET props = '{props}' WHERE token = '{token}'")).await;
    json!(cookies)
}

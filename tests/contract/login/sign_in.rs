//! The ways to sign in that the settings allow, crossed with the forms of a login.

use serde_json::{Value, json};

use super::post;
use crate::support::TestServer;
use crate::support::server::{PASSWORD, account};

const WRONG: [(bool, bool, &str); 4] = [
    (true, true, "api.user.login.invalid_credentials_email_username"),
    (true, false, "api.user.login.invalid_credentials_username"),
    (false, true, "api.user.login.invalid_credentials_email"),
    (false, false, "api.user.login.invalid_credentials_email_username"),
];

/// Returns every form of a login, with true for the ways by username and by address that admit it.
fn forms(id: &str) -> Vec<(Value, bool, bool)> {
    let named = [
        (json!({ "login_id": "admin" }), true, false),
        (json!({ "login_id": "admin@chat.example" }), false, true),
        (json!({ "login_id": "Admin@Chat.Example" }), false, true),
        (json!({ "id": id }), true, true),
        (json!({ "login_id": id }), false, false),
    ];
    let further = [
        json!({}),
        json!({ "device_id": "apple:token" }),
        json!({ "deviceId": "android:token", "token": "", "ldap_only": "false" }),
    ];
    let with = |form: &Value, more: &Value| {
        let mut body = form.clone();
        body["password"] = json!(PASSWORD);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let crossed = named.iter().flat_map(|(form, by_name, by_address)| {
        further.iter().map(|more| (with(form, more), *by_name, *by_address)).collect::<Vec<_>>()
    });
    crossed.collect()
}

#[actix_web::test]
async fn a_session_opens_only_in_a_way_that_the_settings_allow() {
    for (by_name, by_address, wrong) in WRONG {
        let settings = format!(
            "[EmailSettings]\nEnableSignInWithUsername = {by_name}\nEnableSignInWithEmail = {by_address}\n\
             [ServiceSettings]\nMaximumLoginAttempts = 1000\n"
        );
        let server = TestServer::start_with(&settings).await;
        let id = server.client().post("/users", account("admin")).await.expect(201)["id"].clone();
        for (body, is_name, is_address) in forms(id.as_str().unwrap()) {
            let reply = post(&server, body.clone()).await;
            if (is_name && by_name) || (is_address && by_address) {
                reply.expect(200);
                assert_eq!(reply.header("token").len(), 26, "{body}");
            } else {
                reply.expect_refusal(401, wrong);
                assert_eq!(reply.header("token"), "", "{body}");
            }
        }
    }
}

#[actix_web::test]
async fn in_developer_mode_a_refused_login_tells_a_stranger_nothing() {
    let server = TestServer::start_with("[ServiceSettings]\nEnableDeveloper = true\n").await;
    let admin = server.admin().await;
    server.user(&admin, "bert").await;
    server.execute("UPDATE users SET authservice = 'saml' WHERE username = 'bert'").await;
    for name in ["admin", "bert", "nobody"] {
        let reply = post(&server, json!({ "login_id": name, "password": "wrong" })).await;
        reply.expect_refusal(401, "api.user.login.invalid_credentials_email_username");
        assert_eq!(reply.json()["detailed_error"], "", "{name}");
    }
    // Other refusals say in this mode what happened.
    let refused = admin.put("/users/me/patch", json!({ "nickname": 5 })).await;
    assert_ne!(refused.json()["detailed_error"], "");
}

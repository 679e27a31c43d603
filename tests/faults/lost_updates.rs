//! Parallel requests change one row: no request undoes the change of another, and limits hold for all of them together.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::{PASSWORD, account};
use crate::support::{Client, Home, TestServer, database};

const ROUNDS: usize = 30;

/// The number of rounds for tests that hash passwords in each round.
const COSTLY_ROUNDS: usize = 8;

#[actix_web::test]
async fn patches_of_different_members_are_all_kept() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let path = created(&admin, "anna").await;
    for round in 0..ROUNDS {
        let value = |member: &str| format!("{member}{round}");
        let members = ["nickname", "position", "first_name", "last_name"];
        let answers = join_all(members.map(|member| patch(&admin, &path, json!({ member: value(member) })))).await;
        let stored = admin.get(&path).await.expect(200);
        assert!(members.iter().all(|member| stored[member] == value(member)), "{stored}");
        // Each state of the account has a different time, so that a client does not keep an older state for that time.
        let mut times: Vec<i64> = answers.iter().map(|answer| answer["update_at"].as_i64().unwrap()).collect();
        times.sort_unstable();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
        let last = answers.iter().find(|answer| answer["update_at"] == times[3]).unwrap();
        assert!(members.iter().all(|member| last[member] == value(member)), "{last}");
    }
}

#[actix_web::test]
async fn a_verification_and_a_deactivation_are_not_undone_by_a_nickname() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for round in 0..COSTLY_ROUNDS {
        let path = created(&admin, &format!("user{round}")).await;
        let (verify, switch) = (format!("{path}/email/verify/member"), format!("{path}/active"));
        let (_, verified, switched) = tokio::join!(
            patch(&admin, &path, json!({ "nickname": "nick" })),
            admin.post(&verify, json!({})),
            admin.put(&switch, json!({ "active": false })),
        );
        verified.expect(200);
        switched.expect_ok();
        let stored = patch(&admin, &path, json!({})).await;
        assert_eq!((&stored["nickname"], &stored["email_verified"]), (&json!("nick"), &json!(true)));
        assert_ne!(stored["delete_at"], 0);
    }
}

#[actix_web::test]
async fn an_address_that_needs_the_password_is_never_taken_without_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let anna = server.user(&admin, "anna").await;
    let (first, second) = ("anna@chat.example", "other@chat.example");
    for _ in 0..COSTLY_ROUNDS {
        let change = json!({ "email": second, "password": PASSWORD });
        let (changed, same) =
            tokio::join!(anna.put("/users/me/patch", change), anna.put("/users/me/patch", json!({ "email": first })));
        changed.expect(200);
        // In the other order the address differs, and the password is missing.
        assert!([200, 400].contains(&same.status), "{}", same.text());
        assert_eq!(anna.get("/users/me").await.expect(200)["email"], second);
        anna.put("/users/me/patch", json!({ "email": first, "password": PASSWORD })).await.expect(200);
    }
}

#[actix_web::test]
async fn one_current_password_is_good_for_one_change() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let anna = server.user(&admin, "anna").await;
    let change = |new: &str| json!({ "current_password": PASSWORD, "new_password": new });
    let changes = ["new-password-1", "new-password-2", "new-password-3"];
    let answers = join_all(changes.map(|new| {
        let (anna, body) = (&anna, change(new));
        async move { anna.put("/users/me/password", body).await.status }
    }))
    .await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
}

#[actix_web::test]
async fn what_a_device_tells_is_all_kept() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let anna = server.user(&admin, "anna").await;
    for round in 0..ROUNDS {
        let version = format!("1.0.{round}");
        let told = [
            json!({ "mobile_version": version }),
            json!({ "device_notification_disabled": "true" }),
            json!({ "device_id": format!("apple:{round}") }),
        ];
        join_all(told.map(|body| device(&anna, body))).await;
        let sessions = anna.get("/users/me/sessions").await.expect(200);
        let session = &sessions[0];
        assert_eq!(session["device_id"], format!("apple:{round}"));
        assert_eq!(session["props"]["mobile_version"], version);
        assert_eq!(session["props"]["device_notification_disabled"], "true");
        device(&anna, json!({ "device_notification_disabled": "false" })).await;
    }
}

#[actix_web::test]
async fn limits_hold_for_requests_at_the_same_time() {
    let server = TestServer::start_with("[ServiceSettings]\nEnableUserAccessTokens = true\n").await;
    let admin = server.admin().await;
    let id = admin.get("/users/me").await.expect(200)["id"].as_str().unwrap().to_owned();
    let numbers =
        |count: usize| format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})");
    // The number is one below the limits of tokens and accounts.
    let tokens = format!(
        "INSERT INTO useraccesstokens (id, token, userid, description, isactive) {} \
         SELECT 'id' || i, 'token' || i, '{id}', 'x', true FROM n",
        numbers(199)
    );
    let accounts = format!(
        "INSERT INTO users (id, createat, updateat, deleteat, username, email, roles, lastlogin) {} \
         SELECT 'id' || i, 1, 1, 0, 'name' || i, 'mail' || i, 'system_user', 0 FROM n",
        numbers(248)
    );
    server.execute(&tokens).await;
    server.execute(&accounts).await;
    let path = format!("/users/{id}/tokens");
    let made = join_all((0..4).map(|_| admin.post(&path, json!({ "description": "x" })))).await;
    assert_eq!(made.iter().filter(|reply| reply.status == 200).count(), 1);
    let names = ["one", "two", "three", "four"].map(account);
    let signed_up = join_all(names.map(|account| admin.post("/users", account))).await;
    let statuses: Vec<u16> = signed_up.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    let refused = signed_up.iter().filter(|reply| reply.status != 201);
    refused.for_each(|reply| reply.expect_refusal(400, "api.user.create_user.user_limits.exceeded"));
}

#[actix_web::test]
async fn of_two_administrators_who_remove_each_other_one_stays() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let path = created(&admin, "other").await;
    let user = json!({ "roles": "system_user" });
    for _ in 0..COSTLY_ROUNDS {
        admin.put(&format!("{path}/roles"), json!({ "roles": "system_user system_admin" })).await.expect_ok();
        let other = server.login("other").await;
        let (mine, theirs) = (format!("{path}/roles"), "/users/me/roles");
        let (one, another) = tokio::join!(other.put(&mine, user.clone()), admin.put(theirs, user.clone()));
        let mut statuses = [one.status, another.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400]);
        if another.status == 200 {
            // Now the other user is administrator, and returns the role.
            let me = admin.get("/users/me").await.expect(200)["id"].as_str().unwrap().to_owned();
            let back = json!({ "roles": "system_user system_admin" });
            other.put(&format!("/users/{me}/roles"), back).await.expect_ok();
        }
    }
}

#[actix_web::test]
async fn a_token_that_is_switched_on_while_it_is_revoked_leaves_no_session() {
    let server = TestServer::start_with("[ServiceSettings]\nEnableUserAccessTokens = true\n").await;
    let admin = server.admin().await;
    let id = admin.get("/users/me").await.expect(200)["id"].as_str().unwrap().to_owned();
    for _ in 0..ROUNDS {
        let made = admin.post(&format!("/users/{id}/tokens"), json!({ "description": "x" })).await.expect(200);
        let (named, with_token) =
            (json!({ "token_id": made["id"] }), server.client().with_token(made["token"].as_str().unwrap()));
        let use_it = async {
            for _ in 0..4 {
                with_token.get("/users/me").await;
            }
        };
        let (revoked, enabled, ()) = tokio::join!(
            admin.post("/users/tokens/revoke", named.clone()),
            admin.post("/users/tokens/enable", named.clone()),
            use_it,
        );
        revoked.expect_ok();
        assert!([200, 404].contains(&enabled.status), "{}", enabled.text());
        assert_eq!(with_token.get("/users/me").await.status, 401);
        let sessions = admin.get(&format!("/users/{id}/sessions")).await.expect(200);
        assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions}");
    }
}

#[actix_web::test]
async fn a_lock_out_of_ten_is_ten_on_two_servers_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let database = database::fresh(folder.path()).await;
    let homes = [0; 2].map(|_| Home::on_database(&database, ""));
    let servers = [homes[0].start().await, homes[1].start().await];
    let clients = [servers[0].client(), servers[1].client()];
    clients[0].post("/users", account("admin")).await.expect(201);
    let admin = clients[0].log_in("admin").await;
    let path = created(&admin, "anna").await;
    let wrong = json!({ "login_id": "anna", "password": "wrong" });
    let attempts = (0..24).map(|number: usize| clients[number % 2].post("/users/login", wrong.clone()));
    assert!(join_all(attempts).await.iter().all(|reply| reply.status == 401));
    assert_eq!(admin.get(&path).await.expect(200)["failed_attempts"], 10);
    let right = json!({ "login_id": "anna", "password": PASSWORD });
    assert_eq!(clients[1].post("/users/login", right).await.status, 401);
}

/// Creates an account and returns its path.
async fn created(admin: &Client, name: &str) -> String {
    format!("/users/{}", admin.post("/users", account(name)).await.expect(201)["id"].as_str().unwrap())
}

async fn patch(admin: &Client, path: &str, body: Value) -> Value {
    admin.put(&format!("{path}/patch"), body).await.expect(200)
}

async fn device(client: &Client, body: Value) {
    client.send(Method::PUT, "/users/sessions/device", Some(body.to_string()), &[]).await.expect_ok();
}

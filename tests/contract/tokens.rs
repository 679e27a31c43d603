//! Personal access tokens: `/users/{user_id}/tokens` and `/users/tokens/…`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Client, TestServer, backdoor};

const EXPIRED: &str = "api.context.session_expired.app_error";
const FORBIDDEN: &str = "api.context.permissions.app_error";
const BAD_BODY: &str = "api.context.invalid_body_param.app_error";
const BAD_URL: &str = "api.context.invalid_url_param.app_error";
const UNKNOWN: &str = "app.user_access_token.get_by_user.app_error";

const ON: &str = "[ServiceSettings]\nEnableUserAccessTokens = true\n";

const NOBODY_S_ID: &str = "abcdefghijklmnopqrstuvwxyz";

#[actix_web::test]
async fn every_token_route_asks_for_a_session() {
    let server = TestServer::start_with(ON).await;
    let nobody = server.client();
    for path in ["/users/me/tokens", "/users/tokens", "/users/tokens/abcdefghijklmnopqrstuvwxyz"] {
        nobody.get(path).await.expect_refusal(401, EXPIRED);
    }
    for path in [
        "/users/me/tokens",
        "/users/tokens/search",
        "/users/tokens/revoke",
        "/users/tokens/disable",
        "/users/tokens/enable",
    ] {
        nobody.post(path, json!({})).await.expect_refusal(401, EXPIRED);
    }
}

#[actix_web::test]
async fn a_token_is_told_once_and_opens_a_session_of_its_own() {
    let server = TestServer::start_with(ON).await;
    let admin = server.admin().await;
    let created = admin.post("/users/me/tokens", json!({ "description": "for <bots>" })).await;
    let token = created.expect(200);
    let text = token["token"].as_str().unwrap();
    assert_eq!(text.len(), 26);
    let without_text =
        json!({ "id": token["id"], "user_id": admin.user_id, "description": "for <bots>", "is_active": true });
    for path in ["/users/me/tokens", "/users/tokens"] {
        assert_eq!(admin.get(path).await.expect(200), json!([without_text]));
    }
    let path = format!("/users/tokens/{}", token["id"].as_str().unwrap());
    assert_eq!(admin.get(&path).await.expect(200), without_text);
    let program = admin.with_token(text);
    program.get("/users/me").await.expect(200);
    let session = sessions_of_tokens(&admin).await;
    let [session] = session.as_slice() else { panic!("{session:?}") };
    assert_eq!(
        session["props"],
        json!({ "type": "UserAccessToken", "user_access_token_id": token["id"], "is_guest": "false" })
    );
    let years = (session["expires_at"].as_i64().unwrap() - session["create_at"].as_i64().unwrap()) / (365 * 86_400_000);
    assert_eq!((years, session["roles"].as_str()), (100, Some("system_admin system_user")));
}

#[actix_web::test]
async fn first_uses_at_the_same_time_open_one_session() {
    let server = TestServer::start_with(ON).await;
    let admin = server.admin().await;
    let program = program(&admin).await.1;
    let replies = join_all((0..8).map(|_| program.get("/users/me"))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!(sessions_of_tokens(&admin).await.len(), 1);
}

#[actix_web::test]
async fn making_a_token_is_refused_in_the_order_of_the_contract() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let of = |id: &str| format!("/users/{id}/tokens");
    let good = json!({ "description": "x" });
    bert.post(&of("short"), json!({})).await.expect_refusal(400, BAD_URL);
    bert.post(&of(NOBODY_S_ID), json!({})).await.expect_refusal(404, "app.user.missing_account.const");
    for body in [json!([]), json!({}), json!({ "description": "" })] {
        bert.post(&of("me"), body).await.expect_refusal(400, BAD_BODY);
    }
    let long = json!({ "description": "x".repeat(256) });
    bert.post(&of("me"), long.clone()).await.expect_refusal(403, FORBIDDEN);
    bert.post(&of("me"), good.clone()).await.expect_refusal(403, FORBIDDEN);
    let carl = holder(&server, &admin, "carl").await;
    for other in [&bert, &admin] {
        carl.post(&of(&other.user_id), good.clone()).await.expect_refusal(403, FORBIDDEN);
    }
    carl.post(&of("me"), good.clone()).await.expect_refusal(501, "app.user_access_token.disabled");
    carl.post(&of("me"), long).await.expect_refusal(501, "app.user_access_token.disabled");
    admin.post(&of("me"), good).await.expect_refusal(501, "app.user_access_token.disabled");
}

#[actix_web::test]
async fn a_description_has_a_limit_and_a_remote_account_gets_no_token() {
    let server = TestServer::start_with(ON).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let path = format!("/users/{}/tokens", bert.user_id);
    let body = |length: usize| json!({ "description": "x".repeat(length) });
    admin.post(&path, body(255)).await.expect(200);
    let refused = admin.post(&path, body(256)).await;
    refused.expect_refusal(400, "model.user_access_token.is_valid.description.app_error");
    server.execute(&format!("UPDATE users SET remoteid = 'elsewhere' WHERE id = '{}'", bert.user_id)).await;
    admin.post(&path, body(1)).await.expect_refusal(403, FORBIDDEN);
}

#[actix_web::test]
async fn an_application_makes_no_token_whatever_its_user_may() {
    let server = TestServer::start_with(&format!("{ON}SessionCacheInMinutes = 0\n")).await;
    let admin = server.admin().await;
    backdoor::execute(&server, "UPDATE sessions SET isoauth = TRUE").await;
    admin.post("/users/me/tokens", json!({})).await.expect_refusal(403, FORBIDDEN);
}

#[actix_web::test]
async fn tokens_are_read_by_whoever_may_and_reaches_their_user() {
    let server = TestServer::start_with(ON).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let carl = holder(&server, &admin, "carl").await;
    let of = |client: &Client| format!("/users/{}/tokens", client.user_id);
    let one = |id: &Value| format!("/users/tokens/{}", id.as_str().unwrap());
    let own = program(&carl).await.0;
    let foreign = program(&admin).await.0;
    bert.get(&of(&bert)).await.expect_refusal(403, FORBIDDEN);
    bert.get(&one(&own)).await.expect_refusal(403, FORBIDDEN);
    bert.get("/users/tokens").await.expect_refusal(403, FORBIDDEN);
    carl.get(&of(&bert)).await.expect_refusal(403, FORBIDDEN);
    carl.get(&one(&foreign)).await.expect_refusal(403, FORBIDDEN);
    carl.get("/users/tokens").await.expect_refusal(403, FORBIDDEN);
    carl.get("/users/tokens/short").await.expect_refusal(400, BAD_URL);
    carl.get(&one(&json!(NOBODY_S_ID))).await.expect_refusal(404, UNKNOWN);
    assert_eq!(carl.get(&of(&carl)).await.expect(200)[0]["id"], own);
    assert_eq!(carl.get(&one(&own)).await.expect(200)["id"], own);
    assert_eq!(admin.get(&one(&own)).await.expect(200)["id"], own);
    let count = |reply: Value| reply.as_array().unwrap().len();
    assert_eq!(count(admin.get("/users/tokens").await.expect(200)), 2);
    assert_eq!(count(admin.get("/users/tokens?per_page=1&page=1").await.expect(200)), 1);
    assert_eq!(count(admin.get("/users/tokens?per_page=1&page=2").await.expect(200)), 0);
    assert_eq!(count(admin.get(&format!("{}?per_page=1&page=1", of(&carl))).await.expect(200)), 0);
}

#[actix_web::test]
async fn a_search_finds_tokens_by_the_beginning_of_an_id_or_a_name() {
    let server = TestServer::start_with(ON).await;
    let admin = server.admin().await;
    let carl = holder(&server, &admin, "carl_x").await;
    let id = program(&carl).await.0;
    program(&admin).await;
    carl.post("/users/tokens/search", json!([])).await.expect_refusal(403, FORBIDDEN);
    admin.post("/users/tokens/search", json!([])).await.expect_refusal(400, BAD_BODY);
    admin.post("/users/tokens/search", json!({ "term": "" })).await.expect_refusal(400, BAD_BODY);
    for term in ["carl", "CARL_X", &carl.user_id, &id.as_str().unwrap()[..20]] {
        let found = admin.post("/users/tokens/search", json!({ "term": term })).await.expect(200);
        assert_eq!((found.as_array().unwrap().len(), &found[0]["id"]), (1, &id), "{term}");
        assert!(found[0].get("token").is_none());
    }
    for term in ["%", "car_", "arl"] {
        assert_eq!(admin.post("/users/tokens/search", json!({ "term": term })).await.expect(200), json!([]), "{term}");
    }
}

#[actix_web::test]
async fn a_token_is_switched_by_whoever_may_and_reaches_its_user() {
    let server = TestServer::start_with(ON).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let carl = holder(&server, &admin, "carl").await;
    let foreign = program(&admin).await.0;
    for action in ["revoke", "disable", "enable"] {
        let path = format!("/users/tokens/{action}");
        bert.post(&path, json!({})).await.expect_refusal(403, FORBIDDEN);
        for body in [json!({}), json!({ "token_id": "" }), json!({ "token_id": NOBODY_S_ID })] {
            carl.post(&path, body).await.expect_refusal(404, UNKNOWN);
        }
        carl.post(&path, json!({ "token_id": foreign })).await.expect_refusal(403, FORBIDDEN);
    }
}

#[actix_web::test]
async fn a_token_that_is_switched_off_is_dead_at_the_next_request_and_lives_again_when_switched_on() {
    let server = TestServer::start_with(ON).await;
    let admin = server.admin().await;
    let (id, program) = program(&admin).await;
    program.get("/users/me").await.expect(200);
    for _ in 0..2 {
        admin.post("/users/tokens/disable", json!({ "token_id": id })).await.expect_ok();
        program.get("/users/me").await.expect_refusal(401, EXPIRED);
    }
    assert!(sessions_of_tokens(&admin).await.is_empty());
    assert_eq!(admin.get("/users/me/tokens").await.expect(200)[0]["is_active"], false);
    admin.post("/users/tokens/enable", json!({ "token_id": id })).await.expect_ok();
    program.get("/users/me").await.expect(200);
}

#[actix_web::test]
async fn a_revoked_token_is_gone_with_its_session_and_nothing_else() {
    let server = TestServer::start_with(ON).await;
    let admin = server.admin().await;
    let (id, gone) = program(&admin).await;
    let other = program(&admin).await.1;
    for client in [&gone, &other] {
        client.get("/users/me").await.expect(200);
    }
    gone.post("/users/tokens/revoke", json!({ "token_id": id })).await.expect_ok();
    gone.get("/users/me").await.expect_refusal(401, EXPIRED);
    other.get("/users/me").await.expect(200);
    admin.get("/users/me").await.expect(200);
    assert_eq!(sessions_of_tokens(&admin).await.len(), 1);
    admin.post("/users/tokens/revoke", json!({ "token_id": id })).await.expect_refusal(404, UNKNOWN);
}

#[actix_web::test]
async fn a_logout_ends_the_session_of_a_token_and_not_the_token() {
    let server = TestServer::start_with(ON).await;
    let admin = server.admin().await;
    let program = program(&admin).await.1;
    program.get("/users/me").await.expect(200);
    program.post("/users/logout", json!({})).await.expect_ok();
    assert!(sessions_of_tokens(&admin).await.is_empty());
    program.get("/users/me").await.expect(200);
}

#[actix_web::test]
async fn tokens_of_people_are_dead_while_the_feature_is_off_and_those_of_bots_live() {
    let server = TestServer::start_with("[ServiceSettings]\nEnableUserAccessTokens = false\n").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let robot = server.user(&admin, "robot").await;
    let rows = format!(
        "INSERT INTO bots (userid, ownerid) VALUES ('{robot}', '{admin}'); \
         INSERT INTO useraccesstokens (id, token, userid, description, isactive) VALUES \
         ('one', 'text-of-bert', '{bert}', '', TRUE), ('two', 'text-of-robot', '{robot}', '', TRUE)",
        robot = robot.user_id,
        admin = admin.user_id,
        bert = bert.user_id
    );
    backdoor::execute(&server, &rows).await;
    admin.with_token("text-of-bert").get("/users/me").await.expect_refusal(401, EXPIRED);
    admin.with_token("text-of-robot").get("/users/me").await.expect(200);
    let made = admin.post(&format!("/users/{}/tokens", robot.user_id), json!({ "description": "x" })).await.expect(200);
    admin.with_token(made["token"].as_str().unwrap()).get("/users/me").await.expect(200);
    assert_eq!(
        admin.get(&format!("/users/{}/sessions", robot.user_id)).await.expect(200)[0]["props"]["is_bot"],
        "true"
    );
}

#[actix_web::test]
async fn an_open_session_of_a_token_is_refused_once_the_feature_is_off() {
    let server = TestServer::start_with(ON).await;
    let admin = server.admin().await;
    let program = program(&admin).await.1;
    program.get("/users/me").await.expect(200);
    let file = server.folder().join("config.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, settings.replace("EnableUserAccessTokens = true", "EnableUserAccessTokens = false")).unwrap();
    server.server.reload().await.unwrap();
    program.get("/users/me").await.expect_refusal(401, EXPIRED);
    program.get("/system/ping").await.expect(200);
    admin.get("/users/me").await.expect(200);
}

#[actix_web::test]
async fn a_token_of_a_deactivated_user_opens_no_session() {
    let server = TestServer::start_with(ON).await;
    let admin = server.admin().await;
    let carl = holder(&server, &admin, "carl").await;
    let program = program(&carl).await.1;
    backdoor::execute(&server, "UPDATE users SET deleteat = 1 WHERE username = 'carl'").await;
    program.get("/users/me").await.expect_refusal(401, EXPIRED);
}

#[actix_web::test]
async fn the_local_socket_makes_lists_and_revokes_tokens_and_switches_none() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("local.socket");
    let settings = format!("{ON}EnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n", socket.display());
    let server = TestServer::start_with(&settings).await;
    let admin = server.admin().await;
    let local = Client::on_socket(&socket);
    local.post("/users/me/tokens", json!({ "description": "x" })).await.expect_refusal(400, BAD_URL);
    let path = format!("/users/{}/tokens", admin.user_id);
    let made = local.post(&path, json!({ "description": "x" })).await.expect(200);
    admin.with_token(made["token"].as_str().unwrap()).get("/users/me").await.expect(200);
    assert_eq!(local.get(&path).await.expect(200)[0]["id"], made["id"]);
    for path in ["/users/tokens/disable", "/users/tokens/enable", "/users/tokens/search"] {
        local.post(path, json!({ "token_id": made["id"] })).await.expect_refusal(404, "api.context.404.app_error");
    }
    local.get(&format!("/users/{}/sessions", admin.user_id)).await.expect_refusal(404, "api.context.404.app_error");
    local.post("/users/tokens/revoke", json!({ "token_id": made["id"] })).await.expect_ok();
    admin.with_token(made["token"].as_str().unwrap()).get("/users/me").await.expect_refusal(401, EXPIRED);
}

/// Logs in a user with the permission to use tokens only.
async fn holder(server: &TestServer, admin: &Client, name: &str) -> Client {
    server.user(admin, name).await;
    let roles = format!("UPDATE users SET roles = 'system_user system_user_access_token' WHERE username = '{name}'");
    backdoor::execute(server, &roles).await;
    server.login(name).await
}

/// Creates a token of a user. Returns its id, and a client that uses it.
async fn program(owner: &Client) -> (Value, Client) {
    let made = owner.post("/users/me/tokens", json!({ "description": "x" })).await.expect(200);
    (made["id"].clone(), owner.with_token(made["token"].as_str().unwrap()))
}

async fn sessions_of_tokens(client: &Client) -> Vec<Value> {
    let sessions = client.get("/users/me/sessions").await.expect(200);
    let all = sessions.as_array().unwrap().iter();
    all.filter(|session| session["props"]["type"] == "UserAccessToken").cloned().collect()
}

//! `POST /users`.

use serde_json::json;

use crate::support::TestServer;
use crate::support::server::account;

#[actix_web::test]
async fn the_first_account_becomes_the_system_administrator_and_the_door_closes() {
    let server = TestServer::start().await;
    let first = server.client().post("/users", account("anna")).await.expect(201);
    assert_eq!(first["roles"], "system_admin system_user");
    let second = server.client().post("/users", account("bert")).await;
    second.expect_refusal(403, "api.user.create_user.no_open_server");
}

#[actix_web::test]
async fn a_body_that_is_no_user_is_refused() {
    let server = TestServer::start().await;
    server.client().post("/users", json!([])).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
}

//! `POST /users/login` and `/users/logout`.

use serde_json::json;

use crate::support::TestServer;

#[actix_web::test]
async fn a_session_lives_from_login_to_logout() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let me = admin.get("/users/me").await.expect(200);
    assert_eq!((me["id"].as_str(), me["username"].as_str()), (Some(admin.user_id.as_str()), Some("admin")));
    admin.post("/users/logout", json!({})).await.expect_ok();
    admin.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
}

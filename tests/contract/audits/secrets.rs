//! Every secret of a request gets a different mark; no mark may be in the trail.

use serde_json::json;

use crate::support::TestServer;
use crate::support::server::PASSWORD;
use crate::support::trail::{all_text_in, newest_in};

#[actix_web::test]
async fn no_secret_is_in_the_trail() {
    let server = TestServer::start_with("[ServiceSettings]\nEnableUserAccessTokens = true\n").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let secrets = json!({
        "EmailSettings": { "SMTPPassword": "canary-mail" },
        "SqlSettings": { "DataSourceReplicas": ["postgres://u:canary-source@host/db"] },
        "PluginSettings": { "Plugins": { "one": { "Token": "canary-plugin" } } },
    });
    admin.put("/config/patch", secrets).await.expect(200);
    bert.put("/users/me/password", json!({ "current_password": PASSWORD, "new_password": "canary-password-1" }))
        .await
        .expect(200);
    bert.put("/users/me/password", json!({ "current_password": "canary-guess", "new_password": "canary-password-2" }))
        .await
        .expect(400);
    let login = json!({ "login_id": "bert", "password": "canary-guess", "token": "canary-code" });
    server.client().post("/users/login", login).await.expect(401);
    let token = admin.post("/users/me/tokens", json!({ "description": "robot" })).await.expect(200);
    let robot = admin.with_token(token["token"].as_str().unwrap());
    robot.put("/users/me/patch", json!({ "nickname": "Robot", "password": "canary-profile" })).await.expect(200);
    let revocation = json!({ "session_id": bert.token.clone().unwrap() });
    bert.post("/users/me/sessions/revoke", revocation).await.expect(200);
    admin.post("/users/tokens/revoke", json!({ "token_id": token["id"] })).await.expect(200);
    admin.audits().await;

    let text = all_text_in(server.folder()).await;
    let bearers = [&admin.token, &bert.token, &robot.token].map(|token| token.clone().unwrap());
    for secret in ["canary", PASSWORD].into_iter().chain(bearers.iter().map(String::as_str)) {
        assert!(!text.contains(secret), "{secret} is in the trail: {text}");
    }
    let record = newest_in(server.folder(), "patchConfig").await;
    let shown = record["after"]["EmailSettings.SMTPPassword"].as_str().unwrap();
    assert!(shown.starts_with("fingerprint "), "{shown}");
    let revoked = newest_in(server.folder(), "revokeUserAccessToken").await;
    assert_eq!(revoked["parameters"], json!({ "token_id": token["id"], "user_id": admin.user_id }));
}

//! `PUT /users/{user_id}` and `/users/{user_id}/patch`.

use serde_json::json;

use super::server_with_bert;
use crate::support::server::PASSWORD;

#[actix_web::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let (_server, _admin, bert) = server_with_bert("").await;
    let before = bert.put("/users/me/patch", json!({ "nickname": "bee", "position": "cook" })).await.expect(200);
    let patch = json!({ "position": null, "first_name": "Bert", "notify_props": { "email": "false" }, "roles": "x" });
    let after = bert.put("/users/me/patch", patch).await.expect(200);
    assert_eq!((after["nickname"].as_str(), after["position"].as_str()), (Some("bee"), Some("cook")));
    assert_eq!((after["first_name"].as_str(), after["roles"].as_str()), (Some("Bert"), Some("system_user")));
    assert_eq!(after["notify_props"], json!({ "email": "false" }));
    assert!(after["update_at"].as_i64() > before["update_at"].as_i64());
    assert_eq!(bert.get("/users/me").await.expect(200), after);
}

#[actix_web::test]
async fn a_whole_profile_replaces_what_it_leaves_out() {
    let (_server, _admin, bert) = server_with_bert("").await;
    let mut user = bert.put("/users/me/patch", json!({ "nickname": "bee", "position": "cook" })).await.expect(200);
    user["username"] = json!("Berta");
    user.as_object_mut().unwrap().remove("nickname");
    let after = bert.put("/users/me", user).await.expect(200);
    assert_eq!((after["username"].as_str(), after["nickname"].as_str()), (Some("berta"), Some("")));
    assert_eq!((after["position"].as_str(), after["locale"].as_str()), (Some("cook"), Some("en")));
    assert!(after["notify_props"]["email"].is_string());
}

#[actix_web::test]
async fn a_whole_profile_is_refused_in_the_order_of_body_id_access() {
    let (_server, admin, bert) = server_with_bert("").await;
    let other = format!("/users/{}", admin.user_id);
    bert.put("/users/short", json!({})).await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    bert.put(&other, json!([])).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    let mismatch = bert.put(&other, json!({ "id": bert.user_id })).await;
    mismatch.expect_refusal(400, "api.context.invalid_body_param.app_error");
    let refusal = bert.put(&other, json!({ "id": admin.user_id })).await;
    refusal.expect_refusal(403, "api.context.permissions.app_error");
}

#[actix_web::test]
async fn others_are_edited_by_administrators_only_and_must_exist() {
    let (server, admin, bert) = server_with_bert("").await;
    let carl = server.user(&admin, "carl").await;
    let path = format!("/users/{}/patch", carl.user_id);
    bert.put(&path, json!({})).await.expect_refusal(403, "api.context.permissions.app_error");
    bert.put(&path, json!([])).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    let changed = admin.put(&path, json!({ "email": "Carla@chat.example" })).await.expect(200);
    assert_eq!(changed["email"], "carla@chat.example");
    let unknown = admin.put("/users/yyyyyyyyyyyyyyyyyyyyyyyyyy/patch", json!({})).await;
    unknown.expect_refusal(404, "app.user.missing_account.const");
}

#[actix_web::test]
async fn a_new_address_of_ones_own_takes_the_password_and_is_not_verified() {
    let (_server, admin, bert) = server_with_bert("").await;
    admin.post(&format!("/users/{}/email/verify/member", bert.user_id), json!({})).await.expect(200);
    let invalid = "api.context.invalid_body_param.app_error";
    for (password, of_patch) in [
        (json!(null), (400, invalid)),
        (json!(""), (400, invalid)),
        (json!("wrong"), (401, "api.user.check_user_password.invalid.app_error")),
    ] {
        let body = json!({ "id": bert.user_id, "username": "bert", "email": "b@chat.example", "password": password });
        for (path, (status, id)) in [("/users/me", (400, invalid)), ("/users/me/patch", of_patch)] {
            bert.put(path, body.clone()).await.expect_refusal(status, id);
        }
    }
    assert_eq!(bert.get("/users/me").await.expect(200)["failed_attempts"], 2);
    let changed = bert.put("/users/me/patch", json!({ "email": "b@chat.example", "password": PASSWORD })).await;
    let changed = changed.expect(200);
    assert_eq!(changed["email"], "b@chat.example");
    assert!(changed.get("email_verified").is_none());
    let user = bert.get("/users/me").await.expect(200);
    assert!(user.get("failed_attempts").is_none());
}

#[actix_web::test]
async fn the_same_address_takes_no_password() {
    let (_server, _admin, bert) = server_with_bert("").await;
    bert.put("/users/me/patch", json!({ "email": "BERT@chat.example" })).await.expect(200);
}

#[actix_web::test]
async fn a_changed_account_keeps_to_the_rules_of_a_new_one() {
    let (_server, admin, bert) =
        server_with_bert("[TeamSettings]\nRestrictCreationToDomains = \"chat.example\"\n").await;
    let path = format!("/users/{}/patch", bert.user_id);
    let refused = [
        (json!({ "email": "b@elsewhere.example" }), "api.user.update_user.accepted_domain.app_error"),
        (json!({ "username": "a b" }), "model.user.is_valid.username.app_error"),
        (json!({ "nickname": "x".repeat(65) }), "model.user.is_valid.nickname.app_error"),
        (json!({ "username": "admin" }), "app.user.save.username_exists.app_error"),
        (json!({ "email": "admin@chat.example" }), "app.user.save.email_exists.app_error"),
    ];
    for (body, id) in refused {
        admin.put(&path, body).await.expect_refusal(400, id);
    }
}

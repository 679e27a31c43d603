//! `GET /users/{user_id}`, `/users/username/{username}`, `/users/email/{email}`.

use reqwest::Method;
use serde_json::Value;

use super::server_with_bert;

const UNKNOWN_ID: &str = "yyyyyyyyyyyyyyyyyyyyyyyyyy";
const HIDDEN: &str = "[PrivacySettings]\nShowEmailAddress = false\nShowFullName = false\n";

#[actix_web::test]
async fn an_id_must_be_one_and_must_be_known() {
    let (_server, _admin, bert) = server_with_bert("").await;
    bert.get("/users/short").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    bert.get(&format!("/users/{UNKNOWN_ID}")).await.expect_refusal(404, "app.user.missing_account.const");
}

#[actix_web::test]
async fn the_etag_names_the_state_of_the_account_and_saves_sending_it_again() {
    let (_server, _admin, bert) = server_with_bert("").await;
    let first = bert.get("/users/me").await;
    let (user, etag) = (first.expect(200), first.header("etag"));
    assert_eq!(etag, format!("11.6.0.{}.{}..0.true.true.0", bert.user_id, user["update_at"]));
    let ask = |etag: String| {
        let bert = bert.clone();
        async move { bert.send(Method::GET, "/users/me", None, &[("If-None-Match", &etag)]).await }
    };
    let again = ask(etag.clone()).await;
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, etag.clone()));
    for known in [format!("W/\"{etag}\""), format!("\"other\", W/\"{etag}\""), "*".to_owned()] {
        assert_eq!(ask(known.clone()).await.status, 304, "{known}");
    }
    for other in [String::new(), format!("\"other, {etag}\""), "W/\"other\"".to_owned()] {
        assert_eq!(ask(other.clone()).await.status, 200, "{other}");
    }
    bert.put("/users/me/patch", serde_json::json!({ "nickname": "b" })).await.expect(200);
    ask(etag).await.expect(200);
}

#[actix_web::test]
async fn each_who_sees_something_else_of_an_account_has_another_etag() {
    let (server, admin, bert) = server_with_bert("").await;
    let carl = server.user(&admin, "carl").await;
    let path = format!("/users/{}", bert.user_id);
    let views = [bert.get(&path).await, admin.get(&path).await, carl.get(&path).await];
    let tags = views.each_ref().map(|view| view.header("etag"));
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2], "{tags:?}");
    for (client, own) in [(&bert, 0), (&admin, 1), (&carl, 2)] {
        for (index, tag) in tags.iter().enumerate() {
            let answer = client.send(Method::GET, &path, None, &[("If-None-Match", tag)]).await;
            assert_eq!(answer.status, if index == own { 304 } else { 200 }, "{own} {index}");
        }
    }
    // The other routes to an account return the same tags.
    for path in ["/users/username/bert", "/users/email/bert@chat.example"] {
        assert_eq!(carl.get(path).await.header("etag"), tags[2]);
        assert_eq!(admin.get(path).await.header("etag"), tags[1]);
    }
}

#[actix_web::test]
async fn a_name_in_the_address_must_be_a_username() {
    let (_server, admin, bert) = server_with_bert("").await;
    let found = admin.get("/users/username/bert").await;
    assert_eq!(found.expect(200)["id"], bert.user_id.as_str());
    assert!(found.header("etag").contains(&bert.user_id));
    admin.get("/users/username/Bert").await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    admin.get("/users/username/carl").await.expect_refusal(404, "app.user.get_by_username.app_error");
}

#[actix_web::test]
async fn an_address_finds_its_account_in_any_case() {
    let (_server, admin, bert) = server_with_bert("").await;
    let found = admin.get("/users/email/Bert@Chat.Example").await.expect(200);
    assert_eq!(found["id"], bert.user_id.as_str());
    admin.get("/users/email/bert").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    admin.get("/users/email/carl@chat.example").await.expect_refusal(404, "app.user.missing_account.const");
}

#[actix_web::test]
async fn where_addresses_are_hidden_only_administrators_look_up_by_them() {
    let (_server, admin, bert) = server_with_bert(HIDDEN).await;
    admin.get("/users/email/bert@chat.example").await.expect(200);
    bert.get("/users/email/none").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    let refusal = bert.get("/users/email/carl@chat.example").await;
    refusal.expect_refusal(403, "api.user.get_user_by_email.permissions.app_error");
}

#[actix_web::test]
async fn each_viewer_sees_what_is_meant_for_them() {
    let (_server, admin, bert) = server_with_bert("").await;
    let path = format!("/users/{}", bert.user_id);
    let own = bert.get(&path).await.expect(200);
    assert!(has(&own, "last_password_update") && has(&own, "notify_props"));
    let by_admin = admin.get(&path).await.expect(200);
    assert!(!has(&by_admin, "last_password_update") && has(&by_admin, "notify_props"));
    let by_other = bert.get(&format!("/users/{}", admin.user_id)).await.expect(200);
    assert!(!has(&by_other, "notify_props"));
    assert_eq!((by_other["auth_data"].as_str(), by_other["email"].as_str()), (Some(""), Some("admin@chat.example")));
    for view in [own, by_admin, by_other] {
        assert!(!has(&view, "password") && !has(&view, "mfa_secret") && !has(&view, "last_login"));
    }
}

#[actix_web::test]
async fn hidden_addresses_and_names_are_hidden_from_all_but_administrators() {
    let (_server, admin, bert) = server_with_bert(HIDDEN).await;
    let names = serde_json::json!({ "first_name": "Ada", "last_name": "Min" });
    admin.put("/users/me/patch", names).await.expect(200);
    let by_other = bert.get(&format!("/users/{}", admin.user_id)).await.expect(200);
    for member in ["email", "first_name", "last_name"] {
        assert_eq!(by_other[member], "", "{member}");
    }
    assert_eq!(admin.get(&format!("/users/{}", bert.user_id)).await.expect(200)["email"], "bert@chat.example");
}

fn has(user: &Value, member: &str) -> bool {
    user.get(member).is_some()
}

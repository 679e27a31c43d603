//! `/users/{user_id}/preferences`.

use serde_json::{Value, json};

use crate::support::{Client, TestServer};

#[actix_web::test]
async fn preferences_are_stored_read_replaced_and_deleted() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    bert.put("/users/me/preferences", json!([item(&bert, "theme", "dark", "1"), item(&bert, "theme", "", "2")]))
        .await
        .expect_ok();
    bert.put("/users/me/preferences", json!([item(&bert, "theme", "dark", "3")])).await.expect_ok();
    let theme = bert.get("/users/me/preferences/theme").await.expect(200);
    assert_eq!(theme, json!([item(&bert, "theme", "", "2"), item(&bert, "theme", "dark", "3")]));
    let one = bert.get("/users/me/preferences/theme/name/dark").await.expect(200);
    assert_eq!(one, item(&bert, "theme", "dark", "3"));
    let all = bert.get(&format!("/users/{}/preferences", bert.user_id)).await.expect(200);
    assert!(all.as_array().unwrap().contains(&one) && all.as_array().unwrap().len() == 5, "{all}");
    bert.post("/users/me/preferences/delete", theme).await.expect_ok();
    let gone = bert.get("/users/me/preferences/theme").await;
    gone.expect_refusal(404, "api.preference.preferences_category.get.app_error");
}

#[actix_web::test]
async fn preferences_belong_to_their_user_and_to_who_manages_the_system() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let root = format!("/users/{}/preferences", admin.user_id);
    let wish = json!([item(&admin, "theme", "dark", "1")]);
    for (client, status, id) in [
        (server.client(), 401, "api.context.session_expired.app_error"),
        (bert.clone(), 403, "api.context.permissions.app_error"),
    ] {
        client.get(&root).await.expect_refusal(status, id);
        client.get(&format!("{root}/theme")).await.expect_refusal(status, id);
        client.get(&format!("{root}/theme/name/dark")).await.expect_refusal(status, id);
        client.put(&root, wish.clone()).await.expect_refusal(status, id);
        client.post(&format!("{root}/delete"), wish.clone()).await.expect_refusal(status, id);
    }
    let theirs = format!("/users/{}/preferences", bert.user_id);
    admin.put(&theirs, json!([item(&bert, "theme", "dark", "1")])).await.expect_ok();
    assert_eq!(bert.get("/users/me/preferences/theme").await.expect(200)[0]["value"], "1");
    admin.get("/users/short/preferences").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
}

#[actix_web::test]
async fn who_edits_other_users_reaches_the_preferences_of_all_but_system_admins() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    server.user(&admin, "carl").await;
    server.execute("UPDATE roles SET permissions = ' edit_other_users' WHERE name = 'system_user_manager'").await;
    server.execute("UPDATE users SET roles = 'system_user system_user_manager' WHERE username = 'carl'").await;
    let (second, carl) = super::roles::beside_as(&server, "carl").await;
    carl.get(&format!("/users/{}/preferences", bert.user_id)).await.expect(200);
    let refused = carl.get(&format!("/users/{}/preferences", admin.user_id)).await;
    refused.expect_refusal(403, "api.context.permissions.app_error");
    second.stop().await.unwrap();
}

#[actix_web::test]
async fn one_to_a_hundred_preferences_of_the_user_are_taken_at_once() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let many = |count: usize| -> Value { (0..count).map(|n| item(&admin, "many", &n.to_string(), "")).collect() };
    let foreign = json!([item(&server.client(), "theme", "dark", "1")]);
    for (path, other) in [
        ("/users/me/preferences", "api.preference.update_preferences.set.app_error"),
        ("/users/me/preferences/delete", "api.preference.delete_preferences.delete.app_error"),
    ] {
        let is_deletion = path.ends_with("delete");
        let send = async |body: Value| {
            if is_deletion { admin.post(path, body).await } else { admin.put(path, body).await }
        };
        for body in [json!([]), json!({}), json!([1]), many(101)] {
            send(body).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
        }
        send(foreign.clone()).await.expect_refusal(403, other);
        send(many(100)).await.expect_ok();
    }
}

#[actix_web::test]
async fn a_preference_that_breaks_a_rule_is_refused_and_none_beside_it_is_stored() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let long = "x".repeat(33);
    for (broken, id) in [
        (item(&admin, "", "dark", ""), "model.preference.is_valid.category.app_error"),
        (item(&admin, &long, "dark", ""), "model.preference.is_valid.category.app_error"),
        (item(&admin, "theme", &long, ""), "model.preference.is_valid.name.app_error"),
        (item(&admin, "theme", "dark", &"x".repeat(20_001)), "model.preference.is_valid.value.app_error"),
    ] {
        let body = json!([item(&admin, "theme", "fine", ""), broken]);
        admin.put("/users/me/preferences", body).await.expect_refusal(400, id);
    }
    let none = admin.get("/users/me/preferences/theme/name/fine").await;
    none.expect_refusal(400, "app.preference.get.app_error");
    let longest = json!([item(&admin, &long[1..], &long[1..], &"ü".repeat(20_000))]);
    admin.put("/users/me/preferences", longest).await.expect_ok();
}

fn item(client: &Client, category: &str, name: &str, value: &str) -> Value {
    json!({ "user_id": client.user_id, "category": category, "name": name, "value": value })
}

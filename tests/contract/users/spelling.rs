//! Members of bodies about accounts in another letter case, as clients in Go write and Mattermost reads them.

use reqwest::Method;
use serde_json::json;

use super::server_with_bert;
use crate::support::server::{PASSWORD, account};

const INVALID: &str = "api.context.invalid_body_param.app_error";

#[actix_web::test]
async fn members_of_bodies_are_taken_in_any_letter_case() {
    let (server, admin, bert) = server_with_bert("").await;
    let newcomer = json!({"Email": "cleo@chat.example", "UserName": "cleo", "PASSWORD": PASSWORD});
    assert_eq!(admin.post("/users", newcomer).await.expect(201)["username"], "cleo");
    let login = json!({"Login_Id": "cleo", "Password": PASSWORD});
    assert_eq!(server.client().post("/users/login", login).await.expect(200)["username"], "cleo");
    let changed = bert.put("/users/me/patch", json!({"Nickname": "bee", "Nick_Name": "no member"})).await.expect(200);
    assert_eq!(changed["nickname"], "bee");
    let found = admin.post("/users/search", json!({"Term": "cleo"})).await.expect(200);
    assert_eq!(found[0]["username"], "cleo");
    let preference = json!([{"User_ID": bert.user_id, "Category": "theme", "Name": "dark", "Value": "1"}]);
    bert.put("/users/me/preferences", preference).await.expect_ok();
    assert_eq!(bert.get("/users/me/preferences/theme/name/dark").await.expect(200)["value"], "1");
    bert.put("/users/me/status", json!({"User_Id": bert.user_id, "Status": "away"})).await.expect(200);
    let path = format!("/users/{}/roles", bert.user_id);
    admin.put(&path, json!({"Roles": "system_user"})).await.expect_ok();
    let password = json!({"Current_Password": PASSWORD, "New_Password": format!("{PASSWORD}2")});
    bert.put("/users/me/password", password).await.expect_ok();
    let path = format!("/users/{}/active", bert.user_id);
    admin.put(&path, json!({"Active": false})).await.expect_ok();
}

#[actix_web::test]
async fn two_spellings_of_a_member_are_refused_as_a_member_that_stands_twice_is() {
    let (_server, admin, bert) = server_with_bert("").await;
    bert.put("/users/me/patch", json!({"nickname": "bee", "Nickname": "wasp"})).await.expect_refusal(400, INVALID);
    let mut newcomer = account("cleo");
    newcomer["Username"] = json!("dora");
    admin.post("/users", newcomer).await.expect_refusal(400, INVALID);
    assert_eq!(bert.get("/users/me").await.expect(200)["nickname"], "");
}

/// The keys of these maps are free, so that each is a text of its own; of equal ones the last counts, as in Mattermost.
#[actix_web::test]
async fn the_last_of_equal_keys_in_a_free_map_counts() {
    let (server, admin, bert) = server_with_bert("").await;
    let twice = r#"{"k": "first", "K": "other", "k": "last"}"#;
    let expected = json!({ "k": "last", "K": "other" });
    let body = format!(r#"{{"props": {twice}, "notify_props": {twice}}}"#);
    let json_body = [("Content-Type", "application/json")];
    let changed = bert.send(Method::PUT, "/users/me/patch", Some(body), &json_body).await.expect(200);
    assert_eq!((&changed["props"], &changed["notify_props"]), (&expected, &expected));
    let body = format!(
        r#"{{"username": "cleo", "email": "cleo@chat.example", "password": "{PASSWORD}", "props": {twice}, "notify_props": {twice}}}"#
    );
    let made = admin.send(Method::POST, "/users", Some(body), &json_body).await.expect(201);
    let shown = admin.get(&format!("/users/{}", made["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&shown["props"], &shown["notify_props"]), (&expected, &expected));
    drop(server);
}

/// Such bodies are read leniently: a member of another type counts as absent, and of two spellings the exact one counts.
#[actix_web::test]
async fn the_exact_member_of_a_lenient_body_comes_first() {
    let (server, _admin, _bert) = server_with_bert("").await;
    let login = json!({"LOGIN_ID": "nobody", "login_id": "bert", "Password": "wrong", "password": PASSWORD});
    assert_eq!(server.client().post("/users/login", login).await.expect(200)["username"], "bert");
}

//! `/roles`, and the built-in roles.

use quarterdeck::server::Server;
use quarterdeck::settings::Sources;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Client, TestServer};

#[actix_web::test]
async fn every_installation_has_the_built_in_roles() {
    let server = TestServer::start().await;
    let roles = server.admin().await.get("/roles").await.expect(200);
    let admin = named(&roles, "system_admin");
    assert_eq!(roles.as_array().unwrap().len(), 25);
    assert_eq!(admin["display_name"], "authentication.roles.global_admin.name");
    assert_eq!(admin["description"], "authentication.roles.global_admin.description");
    assert_eq!((&admin["built_in"], &admin["scheme_managed"]), (&json!(true), &json!(true)));
    assert_eq!((&admin["delete_at"], &admin["scheme_id"]), (&json!(0), &Value::Null));
    let granted = admin["permissions"].as_array().unwrap();
    assert!(granted.contains(&json!("manage_system")) && !granted.contains(&json!("")));
    assert_eq!(named(&roles, "custom_group_user")["built_in"], false);
    assert_eq!(named(&roles, "system_manager")["scheme_managed"], false);
}

#[actix_web::test]
async fn a_role_that_was_changed_stays_as_it_is_and_a_missing_one_comes_back() {
    let server = TestServer::start().await;
    server.admin().await;
    server.execute("UPDATE roles SET permissions = ' create_team' WHERE name = 'system_user'").await;
    server.execute("DELETE FROM roles WHERE name = 'team_user'").await;
    let (second, client) = beside(&server).await;
    let roles = client.get("/roles").await.expect(200);
    assert_eq!(named(&roles, "system_user")["permissions"], json!(["create_team"]));
    assert_eq!(named(&roles, "team_user")["name"], "team_user");
    second.stop().await.unwrap();
}

#[actix_web::test]
async fn servers_that_start_at_once_agree_on_the_roles() {
    let server = TestServer::start().await;
    server.admin().await;
    server.execute("DELETE FROM roles").await;
    let ((one, first), (other, second)) = tokio::join!(beside(&server), beside(&server));
    let (first, second) = (first.get("/roles").await.expect(200), second.get("/roles").await.expect(200));
    assert_eq!(first.as_array().unwrap().len(), 25);
    assert_eq!(first, second);
    one.stop().await.unwrap();
    other.stop().await.unwrap();
}

#[actix_web::test]
async fn only_who_manages_the_system_lists_all_roles() {
    let server = TestServer::start().await;
    server.client().get("/roles").await.expect_refusal(401, "api.context.session_expired.app_error");
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    bert.get("/roles").await.expect_refusal(403, "api.context.permissions.app_error");
}

#[actix_web::test]
async fn anybody_who_is_logged_in_looks_a_role_up_by_id_or_name() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let role = bert.get("/roles/name/team_admin").await.expect(200);
    let path = format!("/roles/{}", role["id"].as_str().unwrap());
    assert_eq!(bert.get(&path).await.expect(200), role);
    for path in [path.as_str(), "/roles/name/team_admin"] {
        server.client().get(path).await.expect_refusal(401, "api.context.session_expired.app_error");
    }
}

#[actix_web::test]
async fn a_role_that_is_unknown_or_badly_named_is_refused() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.get("/roles/short").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    admin.get(&format!("/roles/{}", admin.user_id)).await.expect_refusal(404, "app.role.get.app_error");
    for name in ["Team_Admin", "team-admin", &"x".repeat(65)] {
        let refused = admin.get(&format!("/roles/name/{name}")).await;
        refused.expect_refusal(400, "api.context.invalid_url_param.app_error");
    }
    admin.get("/roles/name/nobody").await.expect_refusal(404, "app.role.get_by_name.app_error");
}

#[actix_web::test]
async fn roles_are_looked_up_by_up_to_a_hundred_names() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let wanted = json!(["team_user", "", "  ", "nobody", "channel_user", "team_user"]);
    let found = bert.post("/roles/names", wanted).await.expect(200);
    let names: Vec<&str> = found.as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["channel_user", "team_user"]);
    let many = |count: usize| json!((0..count).map(|number| format!("x{number}")).collect::<Vec<_>>());
    bert.post("/roles/names", many(100)).await.expect(200);
    bert.post("/roles/names", json!(vec!["x"; 101])).await.expect(200);
    let too_many = bert.post("/roles/names", many(101)).await;
    too_many.expect_refusal(400, "api.roles.get_multiple_by_name_too_many.request_error");
    for body in [json!([]), json!(["Team User"])] {
        bert.post("/roles/names", body).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
    for body in [json!({}), json!([1]), Value::Null] {
        bert.post("/roles/names", body).await.expect_refusal(400, "api.payload.parse.error");
    }
    let nobody = server.client().post("/roles/names", json!(["team_user"])).await;
    nobody.expect_refusal(401, "api.context.session_expired.app_error");
}

#[actix_web::test]
async fn roles_are_looked_up_by_name_without_proof_of_where_the_request_comes_from() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let cookie = format!("MMAUTHTOKEN={}", admin.token.unwrap());
    let body = Some(json!(["team_user"]).to_string());
    let reply = server.client().send(Method::POST, "/roles/names", body, &[("Cookie", &cookie)]).await;
    assert_eq!(reply.expect(200)[0]["name"], "team_user");
}

fn named<'a>(roles: &'a Value, name: &str) -> &'a Value {
    roles.as_array().unwrap().iter().find(|role| role["name"] == name).unwrap()
}

/// Starts another server on the same database, and logs in its administrator.
async fn beside(server: &TestServer) -> (Server, Client) {
    beside_as(server, "admin").await
}

/// Starts another server on the same database, which has read the changed roles, and logs in a user there.
pub async fn beside_as(server: &TestServer, name: &str) -> (Server, Client) {
    let sources = Sources::isolated(Some(server.folder().join("config.toml")), Vec::new());
    let second = Server::start(sources.load().unwrap(), sources).await.unwrap();
    let mut client = server.login(name).await;
    client.base = format!("http://{}", second.addresses()[0]);
    (second, client)
}

//! `PUT /roles/{role_id}/patch`: the permissions of a role, which hold at once.

use serde_json::{Value, json};

use crate::support::license::{Seller, upload};
use crate::support::teams::open_team;
use crate::support::trail::{events_in, newest_in};
use crate::support::waiting::until;
use crate::support::websocket::WebSocket;
use crate::support::{Client, Reply, TestServer};

const FORBIDDEN: &str = "api.context.permissions.app_error";
const FIXED: &str = "api.roles.patch_roles.not_allowed_permission.error";

async fn role(client: &Client, name: &str) -> Value {
    client.get(&format!("/roles/name/{name}")).await.expect(200)
}

async fn patch(client: &Client, role: &Value, body: Value) -> Reply {
    client.put(&format!("/roles/{}/patch", role["id"].as_str().unwrap()), body).await
}

/// Returns the permissions of a role with one more, or without one.
fn with(role: &Value, permission: &str) -> Vec<Value> {
    let mut permissions = role["permissions"].as_array().unwrap().clone();
    permissions.push(json!(permission));
    permissions
}

fn without(role: &Value, permission: &str) -> Vec<Value> {
    let permissions = role["permissions"].as_array().unwrap().iter();
    permissions.filter(|known| *known != permission).cloned().collect()
}

/// Gives a user delegated roles, which the API gives with a licence only.
async fn delegate(server: &TestServer, admin: &Client, name: &str, roles: &str) {
    server.execute(&format!("UPDATE users SET roles = '{roles}' WHERE username = '{name}'")).await;
    let of_user = format!("userid = (SELECT id FROM users WHERE username = '{name}')");
    server.execute(&format!("UPDATE sessions SET roles = '{roles}' WHERE {of_user}")).await;
    admin.post("/caches/invalidate", json!({})).await.expect_ok();
}

#[actix_web::test]
async fn a_change_holds_at_once_and_is_announced_and_recorded() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let mut socket = WebSocket::of(&bert, "").await;
    let user = role(&admin, "system_user").await;
    bert.post("/teams", open_team("before")).await.expect(201);

    // The System Console sends the whole role.
    let mut whole = user.clone();
    whole["permissions"] = json!(without(&user, "create_team"));
    whole["name"] = json!("ignored");
    let changed = patch(&admin, &user, whole).await.expect(200);
    assert_eq!((&changed["name"], &changed["create_at"]), (&user["name"], &user["create_at"]));
    assert!(changed["update_at"].as_i64() > user["update_at"].as_i64());
    let refused = bert.post("/teams", open_team("after")).await;
    refused.expect_refusal(403, "api.team.is_team_creation_allowed.disabled.app_error");
    let event = socket.event_named("role_updated").await;
    let told: Value = serde_json::from_str(event["data"]["role"].as_str().unwrap()).unwrap();
    assert_eq!(told, changed);
    assert_eq!(role(&bert, "system_user").await, changed);

    patch(&admin, &user, json!({ "permissions": with(&changed, "create_team") })).await.expect(200);
    bert.post("/teams", open_team("again")).await.expect(201);
    admin.audits().await;
    let record = newest_in(server.folder(), "patchRole").await;
    let expected = json!({ "role": "system_user", "role_id": user["id"], "added": ["create_team"], "removed": [] });
    assert_eq!((&record["status"], &record["parameters"]), (&json!("success"), &expected));
}

#[actix_web::test]
async fn a_list_that_changes_nothing_is_no_change() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let user = role(&admin, "team_user").await;
    let mut reversed = user["permissions"].as_array().unwrap().clone();
    reversed.reverse();
    reversed.push(reversed[0].clone());
    for body in [json!({}), json!({ "permissions": null }), json!({ "permissions": reversed })] {
        assert_eq!(patch(&admin, &user, body).await.expect(200), user);
    }
    admin.audits().await;
    assert!(!events_in(server.folder()).await.iter().any(|event| event.starts_with("patchRole")));
}

#[actix_web::test]
async fn refusals_come_in_the_order_of_the_contract() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let user = role(&admin, "system_user").await;
    let none = json!({ "permissions": [] });
    patch(&server.client(), &user, none.clone()).await.expect_refusal(401, "api.context.session_expired.app_error");
    bert.put("/roles/short/patch", none.clone()).await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    for body in [json!([]), json!({ "permissions": "create_team" }), json!({ "permissions": [1] })] {
        patch(&bert, &user, body).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
    let unknown = json!({ "id": "x".repeat(26) });
    patch(&bert, &unknown, none.clone()).await.expect_refusal(404, "app.role.get.app_error");
    patch(&bert, &user, none).await.expect_refusal(403, FORBIDDEN);
    let guest = role(&admin, "team_guest").await;
    let changed = json!({ "permissions": with(&guest, "manage_system") });
    patch(&admin, &guest, changed).await.expect_refusal(501, "api.roles.patch_roles.license.error");
    let nonsense = json!({ "permissions": with(&user, "fly") });
    patch(&admin, &user, nonsense).await.expect_refusal(400, "app.role.save.invalid_role.app_error");
}

/// The last administrator keeps the permissions with which a change can be undone.
#[actix_web::test]
async fn nobody_adds_or_removes_what_manages_the_system() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (user, chief) = (role(&admin, "system_user").await, role(&admin, "system_admin").await);
    for name in [
        "manage_system",
        "manage_roles",
        "sysconsole_read_user_management_system_roles",
        "sysconsole_write_user_management_system_roles",
    ] {
        patch(&admin, &user, json!({ "permissions": with(&user, name) })).await.expect_refusal(501, FIXED);
        patch(&admin, &chief, json!({ "permissions": without(&chief, name) })).await.expect_refusal(501, FIXED);
    }
    // Everything else can be taken from the role, and given back.
    let kept = [
        "manage_system",
        "manage_roles",
        "sysconsole_read_user_management_system_roles",
        "sysconsole_write_user_management_system_roles",
    ];
    patch(&admin, &chief, json!({ "permissions": kept })).await.expect(200);
    admin.get("/reports/users").await.expect_refusal(403, FORBIDDEN);
    patch(&admin, &chief, json!({ "permissions": chief["permissions"] })).await.expect(200);
    admin.get("/reports/users").await.expect(200);
}

#[actix_web::test]
async fn delegated_administrators_change_ordinary_roles_and_give_no_more_than_they_have() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    delegate(&server, &admin, "bert", "system_user system_manager").await;
    let user = role(&admin, "system_user").await;
    patch(&bert, &user, json!({ "permissions": without(&user, "create_team") })).await.expect(200);
    patch(&bert, &user, json!({ "permissions": with(&user, "edit_other_users") })).await.expect_refusal(403, FORBIDDEN);
    let token = json!({ "permissions": with(&user, "create_user_access_token") });
    patch(&bert, &user, token).await.expect_refusal(403, FORBIDDEN);
    let console = json!({ "permissions": with(&user, "sysconsole_write_user_management_users") });
    patch(&bert, &user, console.clone()).await.expect_refusal(403, FORBIDDEN);
    for name in ["system_admin", "system_manager", "system_read_only_admin"] {
        let other = role(&admin, name).await;
        patch(&bert, &other, json!({ "permissions": [] })).await.expect_refusal(403, FORBIDDEN);
    }
    let custom = role(&admin, "system_post_all").await;
    patch(&bert, &custom, json!({ "permissions": [] })).await.expect_refusal(403, FORBIDDEN);
    patch(&admin, &user, console).await.expect(200);
}

#[actix_web::test]
async fn guests_have_other_permissions_with_a_licence_for_them() {
    let seller = Seller::new().await;
    let server = seller.server("").await;
    let admin = server.admin().await;
    let license = seller.license(&["--users", "10", "--feature", "guest_accounts_permissions"]).await;
    let guest = role(&admin, "team_guest").await;
    let body = json!({ "permissions": without(&guest, "view_team") });
    patch(&admin, &guest, body.clone()).await.expect_refusal(501, "api.roles.patch_roles.license.error");
    upload(&admin, &license).await.expect(201);
    patch(&admin, &guest, body).await.expect(200);
    patch(&admin, &guest, json!({ "permissions": with(&guest, "manage_roles") })).await.expect_refusal(501, FIXED);
}

#[actix_web::test]
async fn a_change_on_one_server_holds_on_the_others() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let second = server.start_beside("").await;
    let there = bert.at(&second.base);
    there.get("/users/me").await.expect(200);
    let (mut socket, _) = WebSocket::greeted(&there).await;
    let user = role(&admin, "system_user").await;
    patch(&admin, &user, json!({ "permissions": without(&user, "create_team") })).await.expect(200);
    // Invalidation of the caches reads the roles at once; without it they are read again after some seconds.
    admin.at(&second.base).post("/caches/invalidate", json!({})).await.expect_ok();
    assert_eq!(there.post("/teams", open_team("one")).await.status, 403);
    patch(&admin, &user, json!({ "permissions": user["permissions"] })).await.expect(200);
    until("the role is read again", async || {
        let role = there.get("/roles/name/system_user").await.expect(200);
        role["permissions"].as_array().unwrap().contains(&json!("create_team"))
    })
    .await;
    there.post("/teams", open_team("two")).await.expect(201);
    let told = socket.event_named("role_updated").await;
    assert!(told["data"]["role"].as_str().unwrap().contains("\"system_user\""), "{told}");
}

/// `mmctl permissions reset` sends the default permissions of the role.
#[actix_web::test]
async fn a_role_keeps_permissions_of_an_earlier_version_over_a_start_until_it_is_reset() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let defaults = [role(&admin, "system_admin").await, role(&admin, "team_admin").await];
    let earlier = "permissions = permissions || ' manage_slash_commands'";
    server.execute(&format!("UPDATE roles SET {earlier} WHERE name IN ('system_admin', 'team_admin')")).await;
    let later = server.start_beside("").await;
    let admin = admin.at(&later.base);
    for default in defaults {
        let kept = role(&admin, default["name"].as_str().unwrap()).await;
        assert_eq!(json!(without(&kept, "manage_slash_commands")), default["permissions"]);
        assert_ne!(kept["permissions"], default["permissions"]);
        patch(&admin, &kept, json!({ "permissions": default["permissions"] })).await.expect(200);
        let reset = role(&admin, default["name"].as_str().unwrap()).await;
        assert_eq!(reset["permissions"], default["permissions"]);
    }
}

#[actix_web::test]
async fn of_changes_at_once_each_is_complete_and_the_last_one_is_in_force() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let user = role(&admin, "team_user").await;
    let lists = [without(&user, "view_team"), without(&user, "create_post"), without(&user, "add_reaction")];
    let bodies = lists.clone().map(|permissions| json!({ "permissions": permissions }));
    let [one, two, three] = bodies;
    let replies = tokio::join!(patch(&admin, &user, one), patch(&admin, &user, two), patch(&admin, &user, three));
    for reply in [replies.0, replies.1, replies.2] {
        reply.expect(200);
    }
    let in_force = role(&admin, "team_user").await;
    admin.post("/caches/invalidate", json!({})).await.expect_ok();
    assert_eq!(role(&admin, "team_user").await, in_force, "what is stored is in force");
    let sorted = |list: &[Value]| {
        let mut names: Vec<String> = list.iter().map(Value::to_string).collect();
        names.sort();
        names
    };
    let now = sorted(in_force["permissions"].as_array().unwrap());
    assert!(lists.iter().any(|list| sorted(list) == now), "a mixture of two changes");
}

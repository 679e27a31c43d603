//! Routes for accounts and teams of features that this server does not have. mmctl 11.6 and the Go client call them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::account;
use crate::support::teams::open_team;
use crate::support::{Client, Home, Reply, Socket, TestServer};

const SESSION: &str = "api.context.session_expired.app_error";
const PERMISSIONS: &str = "api.context.permissions.app_error";
const INVALID: &str = "api.context.invalid_body_param.app_error";
const OK: &str = "";

/// A request: its method, path and body, and the status and error id for a caller without a session, for a user and for
/// an administrator. `{team}` stands for the id of a team, `{bert}` for the user's own id and `{admin}` for another one.
type Row = (Method, &'static str, Value, [(u16, &'static str); 3]);

/// Returns the outcomes of a route that refuses each caller with a session alike.
fn all(status: u16, id: &'static str) -> [(u16, &'static str); 3] {
    [(401, SESSION), (status, id), (status, id)]
}

fn rows() -> Vec<Row> {
    let (get, post) = (Method::GET, Method::POST);
    let anyone = |status, id| [(status, id); 3];
    let admins = |status, id| [(401, SESSION), (403, PERMISSIONS), (status, id)];
    let switch =
        |from: &str, to: &str| json!({ "current_service": from, "new_service": to, "email": "x", "password": "y" });
    let decided = json!({ "termsOfServiceId": "t", "accepted": true });
    vec![
        (get.clone(), "/users/{bert}/groups", json!(null), all(501, "api.license_error")),
        (
            get.clone(),
            "/users/{bert}/terms_of_service",
            json!(null),
            all(404, "app.user_terms_of_service.get_by_user.no_rows.app_error"),
        ),
        (
            post.clone(),
            "/users/{bert}/terms_of_service",
            decided,
            all(404, "app.terms_of_service.get.no_rows.app_error"),
        ),
        (post.clone(), "/users/{bert}/terms_of_service", json!({ "accepted": true }), all(400, INVALID)),
        (post.clone(), "/users/{bert}/terms_of_service", json!({ "termsOfServiceId": "t" }), all(400, INVALID)),
        (
            get.clone(),
            "/users/{bert}/uploads",
            json!(null),
            [(401, SESSION), (200, OK), (403, "api.user.get_uploads_for_user.forbidden.app_error")],
        ),
        (get.clone(), "/users/short/uploads", json!(null), all(400, "api.context.invalid_url_param.app_error")),
        (post.clone(), "/users/group_channels", json!(["c"]), all(200, OK)),
        (post.clone(), "/users/group_channels", json!([]), all(400, INVALID)),
        (post.clone(), "/users/group_channels", json!({}), all(400, "api.payload.parse.error")),
        (
            get.clone(),
            "/users/{admin}/oauth/apps/authorized",
            json!(null),
            admins(501, "api.oauth.allow_oauth.turn_off.app_error"),
        ),
        (
            post.clone(),
            "/users/login/switch",
            switch("email", "ldap"),
            anyone(501, "api.user.email_to_ldap.not_available.app_error"),
        ),
        (
            post.clone(),
            "/users/login/switch",
            switch("ldap", "email"),
            anyone(501, "api.user.ldap_to_email.not_available.app_error"),
        ),
        (
            post.clone(),
            "/users/login/switch",
            switch("gitlab", "email"),
            anyone(501, "api.user.authorize_oauth_user.unsupported.app_error"),
        ),
        (post.clone(), "/users/login/switch", switch("email", "email"), anyone(400, INVALID)),
        (post.clone(), "/users/login/switch", json!([]), anyone(400, INVALID)),
        (
            post.clone(),
            "/users/login/desktop_token",
            json!({ "token": "x" }),
            anyone(401, "app.desktop_token.validate.invalid"),
        ),
        (post.clone(), "/users/login/cws", json!({}), anyone(401, "api.user.login_cws.license.error")),
        (
            post.clone(),
            "/users/login/sso/code-exchange",
            json!({}),
            anyone(410, "api.oauth.code_exchange.disabled.app_error"),
        ),
        (post.clone(), "/users/notify-admin", json!({}), all(403, "api.cloud.app_error")),
        (post.clone(), "/users/trigger-notify-admin-posts", json!({}), all(403, "api.cloud.app_error")),
        (
            post.clone(),
            "/teams/{team}/import",
            json!({}),
            admins(400, "api.team.import_team.unknown_import_from.app_error"),
        ),
        (post.clone(), "/teams/short/import", json!({}), all(400, "api.context.invalid_url_param.app_error")),
        (post.clone(), "/ldap/sync", json!({}), all(501, "api.ldap_groups.license_error")),
        (post.clone(), "/ldap/test", json!({}), all(501, "api.ldap_groups.license_error")),
        (post.clone(), "/ldap/migrateid", json!({ "toAttribute": "x" }), all(501, "api.ldap_groups.license_error")),
        (post, "/saml/reset_auth_data", json!({}), admins(501, "api.admin.saml.not_available.app_error")),
    ]
}

async fn send(client: &Client, method: &Method, path: &str, body: &Value) -> Reply {
    client.send(method.clone(), path, (!body.is_null()).then(|| body.to_string()), &[]).await
}

#[actix_web::test]
async fn each_route_answers_as_mattermost_does_without_the_feature() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let team = admin.found(open_team("crew")).await;
    for (method, path, body, outcomes) in rows() {
        let path = path.replace("{team}", &team).replace("{bert}", &bert.user_id).replace("{admin}", &admin.user_id);
        for (client, (status, id)) in [&server.client(), &bert, &admin].into_iter().zip(outcomes) {
            let reply = send(client, &method, &path, &body).await;
            let is_right = reply.status == status && (id.is_empty() || reply.json()["id"] == id);
            assert!(is_right, "{method} {path} {body}: {status} {id}: {} {}", reply.status, reply.text());
        }
    }
    assert_eq!(bert.get("/users/me/uploads").await.expect(200), json!([]));
    assert_eq!(bert.post("/users/group_channels", json!(["c"])).await.expect(200), json!({}));
}

/// The requests of mmctl 11.6 about users and teams, as its commands send them over the local socket. None of them may
/// find no route: `api.context.404.app_error` would tell an operator that the server is too old.
#[actix_web::test]
async fn each_request_of_mmctl_about_users_and_teams_has_a_route() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mmctl.socket");
    let local =
        format!("[ServiceSettings]\nEnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n", path.display());
    let home = Home::new(&local).await;
    let _server = home.start().await;
    let socket = Socket::new(&path);
    let mut ids = Vec::new();
    for name in ["anna", "bert"] {
        let made = socket.post("/users", account(name)).await.expect(201);
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let team = socket.post("/teams", open_team("crew")).await.expect(201)["id"].as_str().unwrap().to_owned();
    let bert = &ids[1];
    let requests = [
        format!("GET /users/email/bert@chat.example\nGET /users/username/bert\nGET /users/{bert}"),
        format!("POST /users/password/reset/send\nPUT /users/{bert}/mfa\nPUT /users/{bert}\nPUT /users/{bert}/auth"),
        format!("PUT /users/{bert}/roles\nPUT /users/{bert}/active\nPUT /users/{bert}/password\nGET /users?page=0"),
        format!("POST /users/{bert}/email/verify/member\nPOST /users/{bert}/promote\nPOST /users/{bert}/demote"),
        format!("POST /users/migrate_auth/saml\nPOST /users/migrate_auth/ldap\nGET /users/{bert}/preferences"),
        format!("PUT /users/{bert}/preferences\nPOST /users/{bert}/preferences/delete\nPOST /users/{bert}/tokens"),
        format!("GET /users/{bert}/tokens\nPOST /users/tokens/revoke\nGET /roles\nGET /roles/name/system_user"),
        format!(
            "POST /teams/{team}/invite/email\nGET /teams\nGET /teams/name/crew\nGET /teams/{team}\nPOST /teams/search"
        ),
        format!("POST /teams/{team}/members\nDELETE /teams/{team}/members/{bert}\nPUT /teams/{team}/privacy"),
        format!("PUT /teams/{team}/patch\nPUT /teams/{team}\nPOST /teams/{team}/restore\nGET /bots"),
        format!("GET /users/{bert}/uploads\nPOST /ldap/sync\nPOST /ldap/migrateid\nPOST /saml/reset_auth_data"),
        format!("POST /users/{bert}/convert_to_bot\nPOST /bots/{bert}/convert_to_user\nDELETE /teams/{team}"),
        format!("DELETE /users/{bert}?permanent=true\nDELETE /users"),
    ];
    for line in requests.iter().flat_map(|requests| requests.lines()) {
        let (method, path) = line.split_once(' ').unwrap();
        let reply = socket.send(method, path, if method == "GET" { "" } else { "{}" }).await;
        let has_route = reply.status < 500 || reply.status == 501;
        assert!(
            has_route && !reply.text().contains("api.context.404.app_error"),
            "{line}: {} {}",
            reply.status,
            reply.text()
        );
    }
}

//! `/teams`: creating, looking up, listing.

use serde_json::{Value, json};

use crate::support::teams::{closed_team, newcomer, open_team};
use crate::support::{Client, TestServer};

#[actix_web::test]
async fn who_founds_a_team_leads_it_and_the_team_has_all_its_members() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let body = json!({ "name": "crew", "display_name": "The Crew", "type": "O", "email": "other@chat.example" });
    let team = bert.post("/teams", body).await.expect(201);
    let keys: Vec<&str> = team.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.len(), 17, "{keys:?}");
    assert_eq!((&team["email"], &team["delete_at"]), (&json!("bert@chat.example"), &json!(0)));
    assert_eq!(team["invite_id"].as_str().unwrap().len(), 26);
    for key in ["scheme_id", "group_constrained", "policy_id"] {
        assert_eq!(team[key], Value::Null, "{key}");
    }
    let path = format!("/teams/{}", team["id"].as_str().unwrap());
    assert_eq!(bert.get(&path).await.expect(200), team);
    let member = bert.get(&format!("{path}/members/me")).await.expect(200);
    assert_eq!((&member["roles"], &member["scheme_admin"]), (&json!("team_user team_admin"), &json!(true)));
}

#[actix_web::test]
async fn a_new_team_has_its_two_channels_with_the_founder_in_them() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let id = admin.found(open_team("crew")).await;
    let unread = admin.get("/users/me/teams/unread?include_collapsed_threads=true").await.expect(200);
    assert_eq!(
        (unread.as_array().unwrap().len(), &unread[0]["team_id"], &unread[0]["msg_count"]),
        (1, &json!(id), &json!(0))
    );
    server.execute("UPDATE channels SET totalmsgcount = 2, totalmsgcountroot = 1").await;
    server.execute("UPDATE channelmembers SET mentioncount = 1, mentioncountroot = 1 WHERE schemeadmin").await;
    let unread = admin.get("/users/me/teams/unread").await.expect(200)[0].clone();
    assert_eq!((&unread["msg_count"], &unread["msg_count_root"]), (&json!(4), &json!(2)), "two channels");
    assert_eq!((&unread["mention_count"], &unread["thread_count"]), (&json!(2), &json!(0)));
    let others = admin.get(&format!("/users/me/teams/unread?exclude_team={id}")).await.expect(200);
    assert_eq!(others, json!([]));
}

#[actix_web::test]
async fn a_team_is_founded_by_somebody_who_may() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server
        .client()
        .post("/teams", open_team("crew"))
        .await
        .expect_refusal(401, "api.context.session_expired.app_error");
    server.user(&admin, "carl").await;
    let guest = without_roles(&server, "carl").await;
    guest.post("/teams", json!([])).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    let refused = guest.post("/teams", open_team("crew")).await;
    refused.expect_refusal(403, "api.team.is_team_creation_allowed.disabled.app_error");
}

#[actix_web::test]
async fn a_team_that_breaks_a_rule_is_refused_by_the_first_rule_it_breaks() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let long = "x".repeat(1001);
    let mut team = json!({ "id": "x", "display_name": "", "name": format!("api_{long}"), "description": long, "type": "X",
        "company_name": long, "allowed_domains": long });
    for (key, mended, id) in [
        ("id", "", "app.team.save.existing.app_error"),
        ("allowed_domains", "chat.example", "api.team.is_team_creation_allowed.domain.app_error"),
        ("display_name", "The Crew", "model.team.is_valid.name.app_error"),
        ("name", "api_crew", "model.team.is_valid.url.app_error"),
        ("description", "", "model.team.is_valid.description.app_error"),
        ("name", "crew_", "model.team.is_valid.reserved.app_error"),
        ("name", "crew", "model.team.is_valid.characters.app_error"),
        ("type", "I", "model.team.is_valid.type.app_error"),
        ("company_name", "", "model.team.is_valid.company.app_error"),
    ] {
        let status = 400;
        admin.post("/teams", team.clone()).await.expect_refusal(status, id);
        team[key] = json!(mended);
    }
    admin.post("/teams", team.clone()).await.expect(201);
    admin.post("/teams", team).await.expect_refusal(400, "store.sql_team.save_team.existing.app_error");
}

#[actix_web::test]
async fn an_open_team_is_seen_by_all_and_any_other_by_its_members() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let (open, closed) = (admin.found(open_team("open")).await, admin.found(closed_team("closed")).await);
    for path in [format!("/teams/{open}"), "/teams/name/open".to_owned()] {
        server.client().get(&path).await.expect_refusal(401, "api.context.session_expired.app_error");
        let seen = bert.get(&path).await.expect(200);
        assert_eq!((&seen["name"], &seen["email"], &seen["invite_id"]), (&json!("open"), &json!(""), &json!("")));
        assert_eq!(admin.get(&path).await.expect(200)["email"], "admin@chat.example");
    }
    for path in [format!("/teams/{closed}"), "/teams/name/closed".to_owned()] {
        bert.get(&path).await.expect_refusal(403, "api.context.permissions.app_error");
        admin.get(&path).await.expect(200);
    }
    admin.get(&format!("/teams/{}", bert.user_id)).await.expect_refusal(404, "app.team.get.find.app_error");
    admin.get("/teams/short").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    admin.get("/teams/name/nobody").await.expect_refusal(404, "app.team.get_by_name.missing.app_error");
    admin.get("/teams/name/No_Body").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
}

#[actix_web::test]
async fn a_name_exists_for_those_who_may_know_of_its_team() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    bert.found(closed_team("berts")).await;
    admin.found(open_team("open")).await;
    admin.found(closed_team("closed")).await;
    for (name, for_admin, for_bert) in
        [("open", true, true), ("closed", true, false), ("berts", true, true), ("nobody", false, false)]
    {
        let path = format!("/teams/name/{name}/exists");
        assert_eq!(admin.get(&path).await.expect(200), json!({ "exists": for_admin }), "{name}");
        assert_eq!(bert.get(&path).await.expect(200), json!({ "exists": for_bert }), "{name}");
        server.client().get(&path).await.expect_refusal(401, "api.context.session_expired.app_error");
    }
    bert.get("/teams/name/x/exists").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
}

#[actix_web::test]
async fn teams_are_listed_as_far_as_the_caller_may_list_them() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    server.user(&admin, "carl").await;
    admin.found(closed_team("bb")).await;
    admin.found(open_team("aa")).await;
    admin.found(open_team("ab")).await;
    server.client().get("/teams").await.expect_refusal(401, "api.context.session_expired.app_error");
    assert_eq!(names(&admin.get("/teams").await.expect(200)), ["aa", "ab", "bb"]);
    assert_eq!(names(&admin.get("/teams?page=1&per_page=2").await.expect(200)), ["bb"]);
    assert_eq!(names(&bert.get("/teams").await.expect(200)), ["aa", "ab"]);
    let counted = bert.get("/teams?per_page=1&include_total_count=true").await.expect(200);
    assert_eq!((names(&counted["teams"]), &counted["total_count"]), (vec!["aa"], &json!(2)));
    let guest = without_roles(&server, "carl").await;
    guest.get("/teams").await.expect_refusal(403, "api.team.get_all_teams.insufficient_permissions");
}

#[actix_web::test]
async fn the_teams_of_somebody_are_for_them_and_for_who_manages_users() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let id = bert.found(closed_team("crew")).await;
    for (path, key) in [("teams", "id"), ("teams/members", "team_id"), ("teams/unread", "team_id")] {
        let own = bert.get(&format!("/users/me/{path}")).await.expect(200);
        assert_eq!((own.as_array().unwrap().len(), &own[0][key]), (1, &json!(id)), "{path}");
        assert_eq!(admin.get(&format!("/users/{}/{path}", bert.user_id)).await.expect(200), own, "{path}");
        let of_admin = format!("/users/{}/{path}", admin.user_id);
        bert.get(&of_admin).await.expect_refusal(403, "api.context.permissions.app_error");
        server.client().get(&of_admin).await.expect_refusal(401, "api.context.session_expired.app_error");
        assert_eq!(admin.get(&of_admin).await.expect(200), json!([]), "{path}");
        admin.get(&format!("/users/x/{path}")).await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    }
}

#[actix_web::test]
async fn the_local_socket_founds_teams_without_members_and_serves_what_the_command_line_needs() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("local.socket");
    let settings =
        format!("[ServiceSettings]\nEnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n", socket.display());
    let server = TestServer::start_with(&settings).await;
    let admin = server.admin().await;
    let http = reqwest::Client::builder().unix_socket(socket).build().unwrap();
    let url = |path: &str| format!("http://_/api/v4{path}");
    let body = json!({ "name": "crew", "display_name": "Crew", "type": "O", "email": "Crew@chat.example" });
    let founded = http.post(url("/teams")).body(body.to_string()).send().await.unwrap();
    assert_eq!(founded.status(), 201);
    let team: Value = serde_json::from_slice(&founded.bytes().await.unwrap()).unwrap();
    assert_eq!(team["email"], "crew@chat.example");
    let id = team["id"].as_str().unwrap();
    assert_eq!(admin.get(&format!("/teams/{id}/members")).await.expect(200), json!([]));
    let added = http.post(url(&format!("/teams/{id}/members"))).body(newcomer(id, &admin).to_string());
    assert_eq!(added.send().await.unwrap().status(), 201);
    let preferences = format!("/users/{}/preferences", admin.user_id);
    for (path, status) in [
        ("/teams", 200),
        ("/teams/name/crew", 200),
        ("/roles", 200),
        ("/roles/name/team_user", 200),
        (preferences.as_str(), 200),
        ("/users/me/preferences", 400),
        ("/teams/name/crew/exists", 404),
        (&format!("/users/{}/status", admin.user_id), 404),
    ] {
        assert_eq!(http.get(url(path)).send().await.unwrap().status(), status, "{path}");
    }
}

/// Logs in a user without permissions.
async fn without_roles(server: &TestServer, name: &str) -> Client {
    server.execute(&format!("UPDATE users SET roles = '' WHERE username = '{name}'")).await;
    server.login(name).await
}

fn names(teams: &Value) -> Vec<&str> {
    teams.as_array().unwrap().iter().map(|team| team["name"].as_str().unwrap()).collect()
}

//! `/teams/{team_id}/members`.

use serde_json::json;

use crate::support::TestServer;
use crate::support::server::PASSWORD;
use crate::support::teams::{closed_team, newcomer, open_team};

#[actix_web::test]
async fn a_member_is_added_with_the_role_of_a_member_and_enters_the_channels() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let id = admin.found(closed_team("crew")).await;
    let added = admin.post(&format!("/teams/{id}/members"), newcomer(&id, &bert)).await.expect(201);
    let expected = json!({ "team_id": id, "user_id": bert.user_id, "roles": "team_user", "delete_at": 0,
        "scheme_guest": false, "scheme_user": true, "scheme_admin": false, "explicit_roles": "" });
    assert_eq!(added, expected);
    assert_eq!(bert.get("/users/me/teams/members").await.expect(200), json!([expected]));
    assert_eq!(bert.get("/users/me/teams/unread").await.expect(200)[0]["team_id"], id);
    let seen = bert.get(&format!("/teams/{id}")).await.expect(200);
    assert_eq!(seen["email"], "", "the address is for who manages the team");
    assert_ne!(seen["invite_id"], "", "the invitation is for who may invite");
}

#[actix_web::test]
async fn who_is_a_member_already_stays_what_they_are() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let id = admin.found(open_team("crew")).await;
    let again = admin.post(&format!("/teams/{id}/members"), newcomer(&id, &admin)).await.expect(201);
    assert_eq!(again["roles"], "team_user team_admin");
}

#[actix_web::test]
async fn the_account_with_the_address_of_a_team_becomes_its_administrator_when_it_joins() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (bert, carl) = (server.user(&admin, "bert").await, server.user(&admin, "carl").await);
    let id = bert.found(open_team("crew")).await;
    let path = format!("/teams/{id}/members");
    admin.post(&path, newcomer(&id, &carl)).await.expect(201);
    for _ in 0..2 {
        bert.delete(&format!("{path}/{}", bert.user_id)).await.expect_ok();
        let back = carl.post(&path, newcomer(&id, &bert)).await.expect(201);
        assert_eq!((&back["roles"], &back["scheme_admin"]), (&json!("team_user team_admin"), &json!(true)));
    }
    // A founder with another address has no part in the team any more.
    bert.put("/users/me/patch", json!({ "email": "new@chat.example", "password": PASSWORD })).await.expect(200);
    bert.delete(&format!("{path}/{}", bert.user_id)).await.expect_ok();
    assert_eq!(bert.post(&path, newcomer(&id, &bert)).await.expect(201)["roles"], "team_user");
    // An account that takes the address later must verify it where the settings say so.
    let verify = |on: bool| json!({ "EmailSettings": { "RequireEmailVerification": on } });
    let take = json!({ "email": "bert@chat.example", "password": PASSWORD });
    carl.put("/users/me/patch", take).await.expect(200);
    for (is_needed, roles) in [(true, "team_user"), (false, "team_user team_admin")] {
        admin.put("/config/patch", verify(is_needed)).await.expect(200);
        admin.delete(&format!("{path}/{}", carl.user_id)).await.expect_ok();
        assert_eq!(admin.post(&path, newcomer(&id, &carl)).await.expect(201)["roles"], roles);
    }
}

#[actix_web::test]
async fn anybody_joins_an_open_team_and_only_members_add_others() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let carl = server.user(&admin, "carl").await;
    let (open, closed) = (admin.found(open_team("open")).await, admin.found(closed_team("closed")).await);
    let path = format!("/teams/{open}/members");
    bert.post(&path, newcomer(&open, &carl)).await.expect_refusal(403, "api.context.permissions.app_error");
    bert.post(&path, newcomer(&open, &bert)).await.expect(201);
    bert.post(&path, newcomer(&open, &carl)).await.expect(201);
    let refused = bert.post(&format!("/teams/{closed}/members"), newcomer(&closed, &bert)).await;
    refused.expect_refusal(403, "api.context.permissions.app_error");
}

#[actix_web::test]
async fn a_newcomer_is_refused_in_the_order_of_the_contract() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let id = admin.found(open_team("crew")).await;
    let (path, invalid) = (format!("/teams/{id}/members"), "api.context.invalid_body_param.app_error");
    let nobody = "x".repeat(26);
    server.client().post(&path, json!({})).await.expect_refusal(401, "api.context.session_expired.app_error");
    bert.post("/teams/short/members", json!([])).await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    bert.post(&path, json!([])).await.expect_refusal(400, invalid);
    bert.post(&path, newcomer(&nobody, &admin)).await.expect_refusal(400, invalid);
    bert.post(&path, json!({ "team_id": id, "user_id": "short" })).await.expect_refusal(400, invalid);
    let unknown_user = json!({ "team_id": id, "user_id": nobody });
    bert.post(&path, unknown_user.clone()).await.expect_refusal(403, "api.context.permissions.app_error");
    admin.post(&path, unknown_user).await.expect_refusal(404, "app.user.missing_account.const");
    let nowhere = format!("/teams/{nobody}/members");
    admin.post(&nowhere, newcomer(&nobody, &bert)).await.expect_refusal(404, "app.team.get.find.app_error");
    bert.post(&nowhere, newcomer(&nobody, &bert)).await.expect_refusal(404, "app.team.get.find.app_error");
}

#[actix_web::test]
async fn a_team_takes_no_more_members_than_the_setting_says() {
    let server = TestServer::start_with("[TeamSettings]\nMaxUsersPerTeam = 2\n").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let carl = server.user(&admin, "carl").await;
    let id = admin.found(open_team("crew")).await;
    let path = format!("/teams/{id}/members");
    let (one, other) = tokio::join!(bert.post(&path, newcomer(&id, &bert)), carl.post(&path, newcomer(&id, &carl)));
    let (joined, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    joined.expect(201);
    refused.expect_refusal(400, "app.team.join_user_to_team.save_member.max_accounts.app_error");
    assert_eq!(admin.get(&path).await.expect(200).as_array().unwrap().len(), 2);
    admin.post(&path, newcomer(&id, &admin)).await.expect(201);
    let dora = server.user(&admin, "dora").await;
    let left = format!("INSERT INTO teammembers (teamid, userid, deleteat) VALUES ('{id}', '{}', 5)", dora.user_id);
    server.execute(&left).await;
    let refused = dora.post(&path, newcomer(&id, &dora)).await;
    refused.expect_refusal(400, "app.team.join_user_to_team.max_accounts.app_error");
}

#[actix_web::test]
async fn teams_take_only_addresses_of_the_domains_of_the_server() {
    let server = TestServer::start_with("[TeamSettings]\nRestrictCreationToDomains = \"chat.example\"\n").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    server.execute(&format!("UPDATE users SET email = 'b@else.example' WHERE id = '{}'", bert.user_id)).await;
    let id = admin.found(open_team("crew")).await;
    let refused = admin.post(&format!("/teams/{id}/members"), newcomer(&id, &bert)).await;
    refused.expect_refusal(400, "api.team.join_user_to_team.allowed_domains.app_error");
    let refused = bert.post("/teams", open_team("other")).await;
    refused.expect_refusal(400, "api.team.is_team_creation_allowed.domain.app_error");
    assert_eq!(admin.get("/teams/name/CREW").await.expect(200)["id"], json!(id));
    assert_eq!(admin.get("/teams/name/Crew/exists").await.expect(200), json!({ "exists": true }));
}

#[actix_web::test]
async fn who_left_comes_back_as_an_ordinary_member() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let id = admin.found(open_team("crew")).await;
    server.execute("UPDATE teammembers SET deleteat = 5, roles = 'quiz_master'").await;
    server.execute("UPDATE teams SET email = 'another@chat.example'").await;
    let path = format!("/teams/{id}/members");
    assert_eq!(admin.get(&path).await.expect(200), json!([]));
    assert_eq!(admin.get("/users/me/teams").await.expect(200), json!([]));
    assert_eq!(admin.get("/users/me/teams/members").await.expect(200)[0]["delete_at"], 5);
    let back = admin.post(&path, newcomer(&id, &admin)).await.expect(201);
    assert_eq!((&back["roles"], &back["delete_at"]), (&json!("team_user"), &json!(0)));
}

#[actix_web::test]
async fn a_team_with_domains_takes_only_their_addresses() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let id = admin.found(open_team("crew")).await;
    let bert = server.user(&admin, "bert").await;
    server.execute("UPDATE teams SET alloweddomains = 'other.example'").await;
    let refused = admin.post(&format!("/teams/{id}/members"), newcomer(&id, &bert)).await;
    refused.expect_refusal(400, "api.team.join_user_to_team.allowed_domains.app_error");
}

#[actix_web::test]
async fn members_are_listed_for_those_who_see_the_team() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let carl = server.user(&admin, "carl").await;
    let id = admin.found(open_team("crew")).await;
    let path = format!("/teams/{id}/members");
    admin.post(&path, newcomer(&id, &bert)).await.expect(201);
    assert_eq!(bert.get(&path).await.expect(200).as_array().unwrap().len(), 2);
    assert_eq!(bert.get(&format!("{path}?page=1&per_page=1")).await.expect(200).as_array().unwrap().len(), 1);
    assert_eq!(bert.get(&format!("{path}/me")).await.expect(200)["roles"], "team_user");
    let carls = format!("{path}/{}", carl.user_id);
    bert.get(&carls).await.expect_refusal(404, "app.team.get_member.missing.app_error");
    for path in [&path, &carls] {
        carl.get(path).await.expect_refusal(403, "api.context.permissions.app_error");
        server.client().get(path).await.expect_refusal(401, "api.context.session_expired.app_error");
    }
    bert.get(&format!("{path}/short")).await.expect_refusal(400, "api.context.invalid_url_param.app_error");
}

#[actix_web::test]
async fn members_are_listed_by_name_and_without_deactivated_ones() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let id = admin.found(open_team("crew")).await;
    let path = format!("/teams/{id}/members");
    let mut accounts = vec![admin.user_id.clone()];
    for name in ["carl", "bert"] {
        let user = server.user(&admin, name).await;
        admin.post(&path, newcomer(&id, &user)).await.expect(201);
        accounts.insert(1, user.user_id.clone());
    }
    let [_, bert, carl] = accounts.as_slice() else { panic!("{accounts:?}") };
    let listed = async |query: &str| {
        let members = admin.get(&format!("{path}?{query}")).await.expect(200);
        members
            .as_array()
            .unwrap()
            .iter()
            .map(|member| member["user_id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed("sort=Username").await, accounts);
    let mut by_id = accounts.clone();
    by_id.sort();
    for other in ["", "sort=username", "exclude_deleted_users=false"] {
        assert_eq!(listed(other).await, by_id, "{other}");
    }
    admin.put(&format!("/users/{bert}/active"), json!({ "active": false })).await.expect_ok();
    let active = [admin.user_id.clone(), carl.clone()];
    assert_eq!(listed("sort=Username&exclude_deleted_users=true").await, active);
    assert_eq!(listed("sort=Username&exclude_deleted_users=true&per_page=1&page=1").await, active[1..]);
    assert_eq!(listed("exclude_deleted_users=1").await.len(), 2);
}

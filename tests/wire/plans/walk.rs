//! Requests that run the statements whose texts are made of parts. Their answers do not matter: a statement that did not
//! run has no plan, and the test says so.

use serde_json::json;

use crate::support::server::account;
use crate::support::teams::{newcomer, open_team};
use crate::support::waiting::until;
use crate::support::{Client, TestServer};

/// Sends requests of all kinds to a server.
pub async fn walk(server: &TestServer) {
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    accounts(&admin, &bert).await;
    // The deactivation ended the session.
    let bert = server.login("bert").await;
    lists(&admin, &bert).await;
    teams(&admin, &bert).await;
    until("the names are compared", async || {
        for term in ["b", "be", "ber", "bert", "bert chat", "be rt"] {
            admin.post("/users/search", json!({ "term": term, "limit": 10 })).await;
            admin.get(&format!("/reports/users?page_size=10&search_term={term}")).await;
        }
        server.statement_texts_contain("qd_user_names n")
    })
    .await;
    admin.put("/config/patch", json!({ "TeamSettings": { "MaxUsersPerTeam": 60 } })).await;
    admin.get("/config/versions").await;
    admin.post("/audits/verification", json!({})).await;
    admin.get("/audits?page=1").await;
}

async fn accounts(admin: &Client, bert: &Client) {
    let id = &bert.user_id;
    let preference = json!([{ "user_id": id, "category": "c", "name": "n", "value": "v" }]);
    bert.put("/users/me/preferences", preference).await;
    bert.put("/users/me/patch", json!({ "nickname": "Bee" })).await;
    admin.put(&format!("/users/{id}/roles"), json!({ "roles": "system_user system_admin" })).await;
    admin.put(&format!("/users/{id}/roles"), json!({ "roles": "system_user" })).await;
    admin.put(&format!("/users/{id}/active"), json!({ "active": false })).await;
    admin.put(&format!("/users/{id}/active"), json!({ "active": true })).await;
    admin.post("/users/ids", json!([id])).await;
    admin.post("/users/usernames", json!(["bert"])).await;
}

async fn lists(admin: &Client, bert: &Client) {
    for path in [
        "/users",
        "/users?active=true",
        "/users?sort=create_at&in_team=a1b2c3d4e5f6g7h8i9j0k1l2m3",
        "/users?without_team=true",
        "/users?role=system_admin",
        "/users?roles=system_admin,system_user",
        "/users/stats",
        "/users/stats/filtered?include_bots=false&roles=system_user",
        "/users/autocomplete?name=be",
        "/reports/users?page_size=10",
        "/reports/users?page_size=10&sort_column=Email&sort_direction=desc",
        "/reports/users/count",
        "/reports/users/count?role_filter=system_user&hide_inactive=true",
        "/bots?include_deleted=true&only_orphaned=true",
        "/channels",
        "/channels?include_total_count=true",
        "/teams",
        "/teams?include_total_count=true",
        "/analytics/old?name=standard",
        "/analytics/old?name=extra_counts",
        "/analytics/old?name=post_counts_day",
        "/analytics/old?name=bot_post_counts_day",
        "/analytics/old?name=user_counts_with_posts_day",
        "/users/tokens",
    ] {
        admin.get(path).await;
    }
    admin.get(&format!("/users/{}/audits", bert.user_id)).await;
}

async fn teams(admin: &Client, bert: &Client) {
    let team = admin.found(open_team("crew")).await;
    let members = format!("/teams/{team}/members");
    admin.post(&members, newcomer(&team, bert)).await.expect(201);
    for path in [
        "/users/me/teams".to_owned(),
        "/users/me/teams/members".to_owned(),
        "/users/me/teams/unread".to_owned(),
        format!("/users/me/teams/{team}/unread"),
        format!("/teams/{team}"),
        "/teams/name/crew".to_owned(),
        members.clone(),
        format!("{members}?sort=Username&exclude_deleted_users=true"),
        format!("{members}/{}", bert.user_id),
        format!("/users?in_team={team}"),
        format!("/users?not_in_team={team}"),
        format!("/users?in_team={team}&sort=last_activity_at"),
        format!("/users?in_team={team}&team_roles=team_admin,team_user"),
        format!("/teams/{team}/stats"),
    ] {
        admin.get(&path).await;
    }
    admin.post(&format!("{members}/ids"), json!([bert.user_id])).await;
    bert.post("/teams/search", json!({ "term": "crew" })).await;
    admin.post("/teams/search", json!({ "term": "crew", "page": 0, "per_page": 10 })).await;
    admin.put(&format!("{members}/{}/roles", bert.user_id), json!({ "roles": "team_user team_admin" })).await;
    let places = json!({ "scheme_user": true, "scheme_admin": false });
    admin.put(&format!("{members}/{}/schemeRoles", bert.user_id), places).await;
    bert.delete(&format!("{members}/{}", bert.user_id)).await;
    admin.post("/users", account("carl")).await.expect(201);
    admin.delete(&format!("/teams/{team}")).await;
}

//! `GET /users`, `/users/stats…`, `/users/known` and `POST /users/ids`, `/users/usernames`.

use serde_json::json;

use super::{names, server_with_bert};
#[actix_web::test]
async fn accounts_come_by_name_and_page_by_page() {
    let (server, admin, bert) = server_with_bert("").await;
    server.user(&admin, "anna").await;
    assert_eq!(names(&bert.get("/users").await.expect(200)), ["admin", "anna", "bert"]);
    assert_eq!(names(&bert.get("/users?page=1&per_page=2").await.expect(200)), ["bert"]);
    assert_eq!(names(&bert.get("/users?per_page=0").await.expect(200)), [""; 0]);
    assert_eq!(names(&bert.get("/users?page=-1&per_page=none").await.expect(200)).len(), 3);
}

#[actix_web::test]
async fn lists_show_each_viewer_what_is_meant_for_them() {
    let (_server, admin, bert) = server_with_bert("[PrivacySettings]\nShowEmailAddress = false\n").await;
    let by_admin = admin.get("/users?role=system_user").await.expect(200);
    assert_eq!(by_admin[0]["email"], "bert@chat.example");
    let by_bert = bert.get("/users").await.expect(200);
    assert_eq!((by_bert[0]["email"].as_str(), by_bert[1]["email"].as_str()), (Some(""), Some("bert@chat.example")));
    assert!(by_bert[0].get("notify_props").is_none());
}

#[actix_web::test]
async fn lists_can_be_narrowed_by_activity_and_role() {
    let (server, admin, bert) = server_with_bert("").await;
    let carl = server.user(&admin, "carl").await;
    admin.delete(&format!("/users/{}", carl.user_id)).await.expect_ok();
    let list = async |query: &str| bert.get(&format!("/users?{query}")).await.expect(200);
    assert_eq!(names(&list("active=true").await), ["admin", "bert"]);
    assert_eq!(names(&list("inactive=true").await), ["carl"]);
    assert_eq!(names(&list("role=system_admin").await), ["admin"]);
    for flag in ["1", "t", "T", "TRUE", "True"] {
        assert_eq!(names(&list(&format!("active={flag}")).await), ["admin", "bert"], "{flag}");
    }
    assert_eq!(names(&list("active=yes").await), ["admin", "bert", "carl"]);
    // This role means the users without another role.
    assert_eq!(names(&list("role=system_user").await), ["bert", "carl"]);
    assert_eq!(names(&list("roles=system_user").await), ["bert", "carl"]);
    assert_eq!(names(&list("roles=system_admin,%20system_user").await), ["admin", "bert", "carl"]);
    for query in ["roles=No%20Role", "roles=system_user,nobody", "role=system%25", "role=nobody"] {
        let refusal = bert.get(&format!("/users?{query}")).await;
        refusal.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
}

#[actix_web::test]
async fn lists_and_searches_can_be_narrowed_by_roles_in_a_team_and_by_channels() {
    let (server, admin, bert) = server_with_bert("").await;
    let carl = server.user(&admin, "carl").await;
    let (team, channel) = ("teamteamteamteamteamteamte", "channelchannelchannelchann");
    for (user, is_admin) in [(&bert, true), (&carl, false), (&admin, true)] {
        let marks = format!("TRUE, {}", if is_admin { "TRUE" } else { "FALSE" });
        let id = &user.user_id;
        let row = format!("('{team}', '{id}', 0, {marks})");
        server
            .execute(&format!(
                "INSERT INTO teammembers (teamid, userid, deleteat, schemeuser, schemeadmin) VALUES {row}"
            ))
            .await;
    }
    let row = format!("('{channel}', '{}', TRUE, FALSE)", carl.user_id);
    server
        .execute(&format!("INSERT INTO channelmembers (channelid, userid, schemeuser, schemeadmin) VALUES {row}"))
        .await;
    server
        .execute(&format!("INSERT INTO channels (id, teamid, name, deleteat) VALUES ('{channel}', '{team}', 'c', 0)"))
        .await;
    for (query, body, expected) in [
        ("team_roles=team_admin", json!({ "team_roles": ["team_admin"] }), vec!["bert"]),
        ("team_roles=team_user", json!({ "team_roles": ["team_user"] }), vec!["carl"]),
        ("team_roles=team_guest", json!({ "team_roles": ["team_guest"] }), vec![]),
        (
            "team_roles=team_user&roles=system_admin",
            json!({ "team_roles": ["team_user"], "roles": ["system_admin", "Nobody's"] }),
            vec!["admin", "carl"],
        ),
        ("not_in_channel=CHANNEL", json!({ "not_in_channel_id": channel }), vec!["admin", "bert"]),
        ("in_channel=CHANNEL", json!({ "in_channel_id": channel }), vec!["carl"]),
    ] {
        let query = format!("/users?in_team={team}&{}", query.replace("CHANNEL", channel));
        assert_eq!(names(&admin.get(&query).await.expect(200)), expected, "{query}");
        let mut whole = json!({ "term": "chat.example", "team_id": team, "unknown": 1 });
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        assert_eq!(names(&admin.post("/users/search", whole.clone()).await.expect(200)), expected, "{whole}");
    }
    let dora = server.user(&admin, "dora").await;
    dora.get(&format!("/users?in_channel={channel}")).await.expect_refusal(403, "api.context.permissions.app_error");
    let search = json!({ "term": "a", "in_channel_id": channel });
    dora.post("/users/search", search).await.expect_refusal(403, "api.context.permissions.app_error");
    let count = async |query: &str| {
        let stats = admin.get(&format!("/users/stats/filtered?{query}")).await.expect(200);
        stats["total_users_count"].as_i64().unwrap()
    };
    assert_eq!(count(&format!("in_team={team}&team_roles=team_admin")).await, 1);
    assert_eq!(count(&format!("in_channel={channel}")).await, 1);
    server.execute(&format!("UPDATE users SET remoteid = 'elsewhere' WHERE id = '{}'", dora.user_id)).await;
    assert_eq!((count("").await, count("include_remote_users=1").await), (3, 4));
}

#[actix_web::test]
async fn the_members_of_a_team_are_listed_for_its_members_and_for_administrators() {
    let (server, admin, bert) = server_with_bert("").await;
    let carl = server.user(&admin, "carl").await;
    let team = "teamteamteamteamteamteamte";
    server.execute(&member(team, &bert.user_id)).await;
    assert_eq!(names(&bert.get(&format!("/users?in_team={team}")).await.expect(200)), ["bert"]);
    assert_eq!(names(&bert.get(&format!("/users?not_in_team={team}")).await.expect(200)), ["admin", "carl"]);
    assert_eq!(names(&admin.get(&format!("/users?in_team={team}&sort=create_at")).await.expect(200)), ["bert"]);
    assert_eq!(names(&admin.get(&format!("/users?in_team={team}&sort=last_activity_at")).await.expect(200)), ["bert"]);
    assert_eq!(names(&admin.get("/users?without_team=true").await.expect(200)), ["admin", "carl"]);
    for query in ["in_team", "not_in_team"] {
        let refusal = carl.get(&format!("/users?{query}={team}")).await;
        refusal.expect_refusal(403, "api.context.permissions.app_error");
    }
    let refusal = carl.get("/users?without_team=true").await;
    refusal.expect_refusal(403, "api.context.permissions.app_error");
}

#[actix_web::test]
async fn an_order_or_a_filter_that_is_not_served_is_refused() {
    let (_server, _admin, bert) = server_with_bert("").await;
    let narrowed = "in_team=x&not_in_channel=y&sort=create_at";
    for query in [
        "sort=create_at",
        "sort=shoe_size",
        "sort=status",
        narrowed,
        "in_group=x",
        "not_in_group=x",
        "group_constrained=1",
        "not_in_channel=x",
        "active=1&inactive=1",
    ] {
        let refusal = bert.get(&format!("/users?{query}")).await;
        refusal.expect_refusal(400, "api.context.invalid_url_param.app_error");
    }
    bert.get("/users?sort=&in_channel=&in_team=&group_constrained=false&unknown=1").await.expect(200);
}

#[actix_web::test]
async fn accounts_are_found_by_their_ids() {
    let (_server, admin, bert) = server_with_bert("").await;
    let ids = json!([bert.user_id, admin.user_id, bert.user_id, "none"]);
    assert_eq!(names(&bert.post("/users/ids", ids.clone()).await.expect(200)), ["admin", "bert"]);
    let changed = admin.put("/users/me/patch", json!({ "nickname": "x" })).await.expect(200);
    let since = changed["update_at"].as_i64().unwrap() - 1;
    assert_eq!(names(&bert.post(&format!("/users/ids?since={since}"), ids.clone()).await.expect(200)), ["admin"]);
    for (path, body) in [("/users/ids", json!([])), ("/users/ids?since=x", ids), ("/users/usernames", json!([]))] {
        bert.post(path, body).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
    for path in ["/users/ids", "/users/usernames"] {
        for body in [json!({}), json!(null), json!("x"), json!([1])] {
            bert.post(path, body).await.expect_refusal(400, "api.payload.parse.error");
        }
    }
}

#[actix_web::test]
async fn accounts_are_found_by_their_names_however_many_are_asked_for() {
    let (_server, _admin, bert) = server_with_bert("").await;
    assert_eq!(names(&bert.post("/users/usernames", json!(["bert", "carl"])).await.expect(200)), ["bert"]);
    let many: Vec<String> = (0..40_000).map(|number| format!("{number:x}")).chain(["bert".to_owned()]).collect();
    assert_eq!(names(&bert.post("/users/usernames", json!(many)).await.expect(200)), ["bert"]);
    let refusal = bert.post("/users/usernames", json!([])).await;
    refusal.expect_refusal(400, "api.context.invalid_body_param.app_error");
}

#[actix_web::test]
async fn accounts_are_counted() {
    let (server, admin, bert) = server_with_bert("").await;
    let carl = server.user(&admin, "carl").await;
    let dora = server.user(&admin, "dora").await;
    admin.delete(&format!("/users/{}", carl.user_id)).await.expect_ok();
    server.execute(&format!("INSERT INTO bots (userid) VALUES ('{}')", dora.user_id)).await;
    assert_eq!(bert.get("/users/stats").await.expect(200), json!({ "total_users_count": 3 }));
    let count = async |query: &str| {
        let stats = admin.get(&format!("/users/stats/filtered?{query}")).await.expect(200);
        stats["total_users_count"].as_i64().unwrap()
    };
    assert_eq!(count("").await, 2);
    assert_eq!(count("include_deleted=true").await, 3);
    assert_eq!(count("include_bots=true&include_deleted=true").await, 4);
    assert_eq!(count("roles=system_admin").await, 1);
    assert_eq!(count("in_team=teamteamteamteamteamteamte").await, 0);
    let refusal = admin.get("/users/stats/filtered?roles=No").await;
    refusal.expect_refusal(400, "api.context.invalid_body_param.app_error");
    bert.get("/users/stats/filtered").await.expect_refusal(403, "api.context.permissions.app_error");
}

#[actix_web::test]
async fn people_are_known_who_share_a_channel() {
    let (server, admin, bert) = server_with_bert("").await;
    assert_eq!(bert.get("/users/known").await.expect(200), json!([]));
    for user in [&admin.user_id, &bert.user_id] {
        let sql = format!("INSERT INTO channelmembers (channelid, userid) VALUES ('channel', '{user}')");
        server.execute(&sql).await;
    }
    assert_eq!(bert.get("/users/known").await.expect(200), json!([admin.user_id]));
}

fn member(team: &str, user: &str) -> String {
    format!("INSERT INTO teammembers (teamid, userid, deleteat) VALUES ('{team}', '{user}', 0)")
}

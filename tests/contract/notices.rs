//! `/system/notices`: its permission, its errors, and its conditions.

mod feed;
mod views;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::license::{Seller, upload};
use crate::support::notices::{NO_TEAM, Noticed, entry, entry_if, shown, shows};
use crate::support::teams::{newcomer, open_team};
use crate::support::{Client, LocalServer, Reply, TestServer, database};

const EXPIRED: &str = "api.context.session_expired.app_error";
const VIEWS_FAILED: &str = "api.system.update_viewed_notices.failed";

#[actix_web::test]
async fn nobody_is_told_anything_without_a_session_and_the_local_socket_tells_nothing() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    server.admin().await;
    ask(&server.client(), "client=web&clientVersion=1.0.0").await.expect_refusal(401, EXPIRED);
    server.client().put("/system/notices/view", json!([])).await.expect_refusal(401, EXPIRED);
    assert_eq!(ask(local, "client=web&clientVersion=1.0.0").await.status, 404);
    assert_eq!(local.put("/system/notices/view", json!([])).await.status, 404);
}

#[actix_web::test]
async fn a_team_and_a_client_are_named_as_they_should_be_in_this_order() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for team in ["view", "x", "aaaaaaaaaaaaaaaaaaaaaaaaa-", "aaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        let refused = admin.get(&format!("/system/notices/{team}")).await;
        refused.expect_refusal(400, "api.context.invalid_url_param.app_error");
        assert!(refused.text().contains("team_id"), "{}", refused.text());
    }
    for query in ["", "client=", "client=mobile", "client=Web", "client=web%20", "clientVersion=1.0.0"] {
        let refused = ask(&admin, query).await;
        refused.expect_refusal(400, "api.context.invalid_body_param.app_error");
        assert!(refused.text().contains("client"), "{}", refused.text());
    }
    // Without notices the version of the client does not matter.
    for client in ["web", "desktop", "mobile-ios", "mobile-android"] {
        assert_eq!(ask(&admin, &format!("client={client}")).await.text(), "[]");
    }
    assert_eq!(admin.put(&format!("/system/notices/{NO_TEAM}"), json!([])).await.status, 404);
}

#[actix_web::test]
async fn a_notice_is_shown_as_clients_read_it_in_their_language() {
    let noticed = Noticed::start("").await;
    let bert = noticed.server.user(&noticed.admin, "bert").await;
    let whole = json!({ "id": "whole", "repeatable": true, "conditions": { "clientType": "web" }, "localizedMessages": {
        "en": { "title": "<T>", "description": "D", "image": "I", "action": "url", "actionParam": "P", "actionText": "A" },
        "de": { "title": "Ä", "description": "B" },
    } });
    noticed.tell(json!([whole, entry("bare")])).await;
    shows(&bert, &["whole", "bare"]).await;
    let reply = ask(&bert, "client=web&clientVersion=11.6.0").await;
    assert_eq!(reply.header("content-type"), "application/json");
    let expected = concat!(
        r#"[{"action":"url","actionParam":"P","actionText":"A","description":"D","image":"I","title":"\u003cT\u003e","#,
        r#""id":"whole","sysAdminOnly":false,"teamAdminOnly":false},"#,
        r#"{"description":"Read it.","title":"About bare","id":"bare","sysAdminOnly":false,"teamAdminOnly":false}]"#
    );
    assert_eq!(reply.text(), expected);
    for (locale, title) in [("de", "Ä"), ("de-AT", "Ä"), ("fr", "<T>"), ("en", "<T>"), ("", "<T>")] {
        let told = ask(&bert, &format!("client=web&clientVersion=11.6.0&locale={locale}")).await.expect(200);
        assert_eq!(told[0]["title"], title, "{locale}");
        assert_eq!(told[1]["title"], "About bare", "{locale}");
    }
}

#[actix_web::test]
async fn a_version_that_cannot_be_read_is_refused_by_what_is_meant_for_that_client() {
    let noticed = Noticed::start("").await;
    let admin = &noticed.admin;
    let desktop = json!({ "clientType": "desktop", "desktopVersion": [">=5.0.0"] });
    noticed
        .tell(json!([entry_if("desktop", desktop), entry_if("none", json!({ "clientType": "mobile", "sku": "x" }))]))
        .await;
    let is_told = |reply: &Reply| reply.json()[0]["id"] == "desktop";
    crate::support::waiting::until("the notice is shown", async || {
        is_told(&ask(admin, "client=desktop&clientVersion=5.7.1").await)
    })
    .await;
    assert!(is_told(&ask(admin, "client=desktop&clientVersion=5").await));
    assert_eq!(ask(admin, "client=desktop&clientVersion=4.9.9").await.text(), "[]");
    assert_eq!(ask(admin, "client=web&clientVersion=five").await.text(), "[]");
    for query in ["client=desktop", "client=desktop&clientVersion=five", "client=mobile-ios&clientVersion=1.2.3.4"] {
        ask(admin, query).await.expect_refusal(400, "api.system.update_notices.validating_failed");
    }
}

#[actix_web::test]
async fn members_and_both_kinds_of_administrators_are_told_what_is_for_them() {
    let noticed = Noticed::start("").await;
    let (admin, bert) = (&noticed.admin, noticed.server.user(&noticed.admin, "bert").await);
    let carla = noticed.server.user(admin, "carla").await;
    let team = carla.found(open_team("crew")).await;
    carla.post(&format!("/teams/{team}/members"), newcomer(&team, &bert)).await.expect(201);
    let audiences = ["all", "member", "sysadmin", "teamadmin"];
    let entries: Vec<Value> = audiences.iter().map(|name| entry_if(name, json!({ "audience": name }))).collect();
    noticed.tell(json!(entries)).await;
    shows(&bert, &["all", "member"]).await;
    assert_eq!(in_team(&bert, &team).await, ["all", "member"]);
    assert_eq!(in_team(&carla, &team).await, ["all", "teamadmin"]);
    assert_eq!(in_team(&carla, NO_TEAM).await, ["all", "member"]);
    // A system administrator counts as administrator of every team.
    assert_eq!(in_team(admin, &team).await, ["all", "sysadmin", "teamadmin"]);
    let told = ask(admin, "client=web&clientVersion=1.0.0").await.expect(200);
    let only = |at: usize| (told[at]["sysAdminOnly"].clone(), told[at]["teamAdminOnly"].clone());
    assert_eq!((only(0), only(1)), ((json!(false), json!(false)), (json!(true), json!(false))));
    assert_eq!(only(2), (json!(false), json!(true)));
    admin.set("AnnouncementSettings.UserNoticesEnabled", false).await.expect(200);
    assert_eq!((in_team(&bert, &team).await.len(), in_team(&carla, &team).await.len()), (0, 0));
    assert_eq!(in_team(admin, &team).await.len(), 3);
    admin.set("AnnouncementSettings.UserNoticesEnabled", true).await.expect(200);
    admin.set("AnnouncementSettings.AdminNoticesEnabled", false).await.expect(200);
    assert_eq!((in_team(admin, &team).await.len(), in_team(&carla, &team).await.len()), (0, 0));
    assert_eq!((in_team(&bert, &team).await.len(), in_team(&carla, NO_TEAM).await.len()), (2, 2));
    for switch in ["AdminNoticesEnabled", "UserNoticesEnabled"] {
        admin.set(&format!("AnnouncementSettings.{switch}"), false).await.expect(200);
    }
    // An unreadable version only matters for a notice that would be shown.
    assert_eq!(ask(&bert, "client=web").await.text(), "[]");
}

#[actix_web::test]
async fn what_the_server_is_and_holds_decides() {
    let seller = Seller::new().await;
    let noticed = Noticed::start(&seller.settings("")).await;
    let (admin, bert) = (&noticed.admin, noticed.server.user(&noticed.admin, "bert").await);
    let is_postgres = database::base().is_some();
    let dependency =
        |minimum: &str| json!({ "deprecating_dependency": { "name": "postgres", "minimum_version": minimum } });
    noticed
        .tell(json!([
            entry_if("two users", json!({ "numberOfUsers": 2 })),
            entry_if("three users", json!({ "numberOfUsers": 3 })),
            entry_if("posts unknown", json!({ "numberOfPosts": 1 })),
            entry_if("this version", json!({ "serverVersion": ["11.x"] })),
            entry_if("another version", json!({ "serverVersion": ["<11.0.0"] })),
            entry_if("old postgres", dependency("99.0.0")),
            entry_if("new postgres", dependency("9.0.0")),
            entry_if("attempts", json!({ "serverConfig": { "ServiceSettings.MaximumLoginAttempts": 10 } })),
            entry_if("other attempts", json!({ "serverConfig": { "ServiceSettings.MaximumLoginAttempts": 11 } })),
            entry_if("free", json!({ "sku": "team" })),
            entry_if("bought", json!({ "sku": "e20" })),
            entry_if("hosted", json!({ "instanceType": "cloud" })),
        ]))
        .await;
    let mut expected = vec!["two users", "posts unknown", "this version"];
    expected.extend(is_postgres.then_some("old postgres"));
    expected.extend(["attempts", "free"]);
    shows(&bert, &expected).await;
    upload(admin, &seller.license(&["--sku", "E20"]).await).await.expect(201);
    *expected.last_mut().unwrap() = "bought";
    shows(&bert, &expected).await;
    admin.set("ServiceSettings.MaximumLoginAttempts", 11).await.expect(200);
    assert!(shown(&bert).await.contains(&"other attempts".to_owned()));
}

#[actix_web::test]
async fn preferences_of_the_caller_decide() {
    let noticed = Noticed::start("").await;
    let bert = noticed.server.user(&noticed.admin, "bert").await;
    noticed
        .tell(json!([entry_if("night owl", json!({ "userConfig": { "display.theme": "dark" } })), entry("all")]))
        .await;
    shows(&bert, &["all"]).await;
    let preference = json!([{ "user_id": bert.user_id, "category": "display", "name": "theme", "value": "dark" }]);
    bert.put("/users/me/preferences", preference).await.expect_ok();
    assert_eq!(shown(&bert).await, ["night owl", "all"]);
    assert_eq!(shown(&noticed.admin).await, ["all"]);
}

async fn ask(client: &Client, query: &str) -> Reply {
    client.get(&format!("/system/notices/{NO_TEAM}?{query}")).await
}

async fn in_team(client: &Client, team: &str) -> Vec<String> {
    let told = client.get(&format!("/system/notices/{team}?client=web&clientVersion=1.0.0")).await.expect(200);
    told.as_array().unwrap().iter().map(|notice| notice["id"].as_str().unwrap().to_owned()).collect()
}

/// Sends a body unchanged.
async fn view(client: &Client, body: &str) -> Reply {
    client.send(Method::PUT, "/system/notices/view", Some(body.to_owned()), &[]).await
}

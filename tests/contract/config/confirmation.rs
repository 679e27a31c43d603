//! A change that is made with `confirm_within` is taken back unless its author confirms it.

use serde_json::{Value, json};

use super::{EXPIRED, FORBIDDEN};
use crate::support::config_place::version_of;
use crate::support::trail::newest_in;
use crate::support::waiting::until;
use crate::support::{Client, Reply, TestServer};

const BEFORE_START: &str = "app.config.confirmation.before_start.app_error";
const MISSING: &str = "app.config.confirmation.missing.app_error";
const OTHER_USER: &str = "app.config.confirmation.other_user.app_error";
const PENDING: &str = "app.config.confirmation.pending.app_error";
const NAME: &str = "TeamSettings.SiteName";

async fn rename(client: &Client, name: &str, query: &str) -> Reply {
    client.put(&format!("/config/patch{query}"), json!({ "TeamSettings": { "SiteName": name } })).await
}

async fn confirm(client: &Client, version: &str) -> Reply {
    client.post(&format!("/config/versions/{version}/confirm"), Value::Null).await
}

#[actix_web::test]
async fn only_the_author_confirms_a_change_and_only_one_waits_at_a_time() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let other = server.staff(&admin, "olga", "system_admin").await;
    let reply = rename(&admin, "new", "?confirm_within=3600&comment=try").await;
    reply.expect(200);
    let version = version_of(&reply);
    let record = admin.get(&format!("/config/versions/{version}")).await.expect(200);
    let waiting = &record["version"]["confirmation"];
    assert_eq!((&waiting["user_id"], &waiting["within"]), (&json!(admin.user_id), &json!(3600)));
    assert_eq!(waiting["stage"], "in_force");
    let lasts = waiting["until"].as_i64().unwrap() - record["version"]["create_at"].as_i64().unwrap();
    assert!((0..=3_600_000).contains(&lasts), "{lasts}");
    rename(&admin, "newer", "?confirm_within=60").await.expect_refusal(409, PENDING);
    admin.post(&format!("/config/versions/{version}/rollback?confirm_within=60"), Value::Null).await.expect(200);
    // Without a confirmation of their own, other changes are free.
    admin.set("TeamSettings.MaxUsersPerTeam", 77).await.expect(200);
    confirm(&server.client(), &version).await.expect_refusal(401, EXPIRED);
    confirm(&bert, &version).await.expect_refusal(403, FORBIDDEN);
    confirm(&other, &version).await.expect_refusal(403, OTHER_USER);
    let confirmed = confirm(&server.login("admin").await, &version).await.expect(200);
    assert_eq!((&confirmed["id"], confirmed.get("confirmation")), (&json!(version), None));
    confirm(&admin, &version).await.expect_refusal(409, MISSING);
    confirm(&admin, "aaaaaaaaaaaaaaaaaaaaaaaaaa").await.expect_refusal(404, "app.config.version.missing.app_error");
    confirm(&admin, "x").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    let reply = rename(&admin, "newest", "?confirm_within=10").await;
    reply.expect(200);
    confirm(&admin, &version_of(&reply)).await.expect(200);
}

#[actix_web::test]
async fn the_time_is_between_ten_seconds_and_an_hour() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for refused in ["9", "3601", "-60", "1.5", "x"] {
        let reply = rename(&admin, "new", &format!("?confirm_within={refused}")).await;
        reply.expect_refusal(400, "api.context.invalid_url_param.app_error");
    }
    rename(&admin, "new", "?confirm_within=10&dry_run=true").await.expect(200);
    assert!(admin.versions().await.is_empty());
    // A change that alters nothing waits for nothing.
    rename(&admin, "Mattermost", "?confirm_within=10").await.expect(200);
    rename(&admin, "new", "?confirm_within=10").await.expect(200);
}

#[actix_web::test]
async fn an_unconfirmed_change_is_taken_back_where_it_is_still_as_it_was_made() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let body = json!({ "TeamSettings": { "SiteName": "new", "MaxUsersPerTeam": 70, "MaxChannelsPerTeam": 71 } });
    let reply = admin.put("/config/patch?confirm_within=10", body).await;
    reply.expect(200);
    let version = version_of(&reply);
    admin.set("TeamSettings.MaxUsersPerTeam", 77).await.expect(200);
    admin.set("TeamSettings.CustomDescriptionText", "later").await.expect(200);
    until("the change is taken back", async || admin.setting(NAME).await != "new").await;
    let config = admin.config().await;
    let team = &config["TeamSettings"];
    assert_eq!((&team["SiteName"], &team["MaxChannelsPerTeam"]), (&json!("Mattermost"), &json!(2000)));
    assert_eq!((&team["MaxUsersPerTeam"], &team["CustomDescriptionText"]), (&json!(77), &json!("later")));
    confirm(&admin, &version).await.expect_refusal(409, MISSING);
    let newest = &admin.versions().await[0];
    assert_eq!((&newest["source"], &newest["comment"]), (&json!("unconfirmed"), &json!(version)));
    assert_eq!(newest["changes"].as_array().unwrap().len(), 2);
    // The list waits until the records are stored.
    admin.audits().await;
    let record = newest_in(server.folder(), "takeBackConfig").await;
    assert_eq!((&record["status"], &record["parameters"]["version"]), (&json!("success"), &json!(version)));
    assert_eq!(record["after"][NAME], "Mattermost");
}

#[actix_web::test]
async fn a_setting_that_needs_a_start_is_not_confirmed_before_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let body = json!({ "ServiceSettings": { "ReadTimeout": 77 } });
    let reply = admin.put("/config/patch?confirm_within=10", body).await;
    reply.expect(200);
    let version = version_of(&reply);
    confirm(&admin, &version).await.expect_refusal(409, BEFORE_START);
    let record = admin.get(&format!("/config/versions/{version}")).await.expect(200);
    let waiting = &record["version"]["confirmation"];
    assert_eq!((&waiting["stage"], &waiting["until"]), (&json!("before_start"), &json!(0)));
}

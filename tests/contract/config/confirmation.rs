//! A change that is made with `confirm_within` is taken back unless its author confirms it.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{EXPIRED, FORBIDDEN};
use crate::support::config_place::version_of;
use crate::support::trail::newest_in;
use crate::support::waiting::until;
use crate::support::{Client, LocalServer, Reply, TestServer};

const BEFORE_START: &str = "app.config.confirmation.before_start.app_error";
const MISSING: &str = "app.config.confirmation.missing.app_error";
const OTHER_USER: &str = "app.config.confirmation.other_user.app_error";
const PENDING: &str = "app.config.confirmation.pending.app_error";
const NOT_OWN: &str = "app.config.confirmation.not_own.app_error";
const NAME: &str = "TeamSettings.SiteName";

async fn rename(client: &Client, name: &str, query: &str) -> Reply {
    client.put(&format!("/config/patch{query}"), json!({ "TeamSettings": { "SiteName": name } })).await
}

async fn confirm(client: &Client, version: &str) -> Reply {
    client.post(&format!("/config/versions/{version}/confirm"), Value::Null).await
}

async fn take_back(client: &Client, version: &str) -> Reply {
    client.delete(&format!("/config/versions/{version}/confirm")).await
}

/// Changes the name of the site, unless the change is not confirmed. Returns the version.
async fn waiting(client: &Client, name: &str) -> String {
    let reply = rename(client, name, "?confirm_within=3600").await;
    reply.expect(200);
    version_of(&reply)
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
    // On PostgreSQL the time begins with the write, a moment later.
    assert!((3_590_000..=3_610_000).contains(&lasts), "{lasts}");
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

#[actix_web::test]
async fn the_author_and_an_administrator_take_a_change_back_at_once() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let mona = server.staff(&admin, "mona", "system_manager").await;
    let mark = server.staff(&admin, "mark", "system_manager").await;
    let olga = server.staff(&admin, "olga", "system_admin").await;
    // An administrator ends the wait of a delegated one, which would hold the only place.
    let version = waiting(&mona, "held").await;
    rename(&admin, "newer", "?confirm_within=60").await.expect_refusal(409, PENDING);
    take_back(&server.client(), &version).await.expect_refusal(401, EXPIRED);
    take_back(&bert, &version).await.expect_refusal(403, FORBIDDEN);
    take_back(&mark, &version).await.expect_refusal(403, NOT_OWN);
    assert_eq!(admin.setting(NAME).await, "held");
    admin.set("TeamSettings.MaxUsersPerTeam", 77).await.expect(200);
    let reply = take_back(&olga, &version).await;
    assert_eq!(reply.expect(200)["TeamSettings"]["SiteName"], "Mattermost");
    assert_eq!(reply.header("x-config-stored"), "true");
    let newest = &admin.versions().await[0];
    assert_eq!(newest["id"], json!(version_of(&reply)));
    assert_eq!((&newest["source"], &newest["comment"]), (&json!("taken_back"), &json!(version)));
    assert_eq!(newest["user_id"], json!(olga.user_id));
    assert_eq!(admin.setting("TeamSettings.MaxUsersPerTeam").await, 77, "a later change stays");
    admin.audits().await;
    let record = newest_in(server.folder(), "takeBackConfig").await;
    assert_eq!((&record["status"], &record["userid"]), (&json!("success"), &json!(olga.user_id)));
    assert_eq!((&record["before"][NAME], &record["after"][NAME]), (&json!("held"), &json!("Mattermost")));
    // The place is free again, and the author needs no permission beside the one for the change.
    let own = waiting(&mona, "own").await;
    take_back(&mona, &own).await.expect(200);
    assert_eq!(admin.setting(NAME).await, "Mattermost");
    for late in [&version, &own] {
        take_back(&admin, late).await.expect_refusal(409, MISSING);
        confirm(&mona, late).await.expect_refusal(409, MISSING);
    }
    take_back(&admin, "aaaaaaaaaaaaaaaaaaaaaaaaaa").await.expect_refusal(404, "app.config.version.missing.app_error");
    take_back(&admin, "x").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
}

#[actix_web::test]
async fn of_callers_at_the_same_time_one_takes_a_change_back_or_confirms_it() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    for round in 0..4 {
        let version = waiting(&admin, &format!("round {round}")).await;
        let taking = join_all([&admin, local, &admin, local].map(|client| take_back(client, &version)));
        let (confirmed, taken) = futures_util::future::join(confirm(&admin, &version), taking).await;
        let statuses: Vec<u16> = taken.iter().map(|reply| reply.status).chain([confirmed.status]).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
        let name = admin.setting(NAME).await;
        assert_eq!(confirmed.status == 200, name == format!("round {round}"), "{name}");
        if confirmed.status == 200 {
            admin.set(NAME, "Mattermost").await.expect(200);
        }
    }
}

#[actix_web::test]
async fn a_change_that_is_taken_back_while_its_time_ends_is_taken_back_once() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let reply = rename(&admin, "short", "?confirm_within=10").await;
    reply.expect(200);
    let version = version_of(&reply);
    let mut statuses = Vec::new();
    until("the change is taken back", async || {
        let is_over = admin.setting(NAME).await != "short";
        let left = admin.get(&format!("/config/versions/{version}")).await.json()["version"]["confirmation"].clone();
        let ends_soon = left["until"].as_i64().is_none_or(|until| until - now_ms() < 50);
        if ends_soon {
            statuses.push(take_back(&admin, &version).await.status);
        }
        is_over
    })
    .await;
    assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
    let ends = admin.versions().await.iter().filter(|record| record["comment"] == version.as_str()).count();
    assert_eq!(ends, 1, "{statuses:?}");
}

#[actix_web::test]
async fn a_restricted_administrator_takes_back_only_their_own_changes() {
    let server = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    let mona = server.staff(&admin, "mona", "system_manager").await;
    let version = waiting(&mona, "held").await;
    take_back(&admin, &version).await.expect_refusal(403, NOT_OWN);
    take_back(&mona, &version).await.expect(200);
    let own = waiting(&admin, "own").await;
    take_back(&admin, &own).await.expect(200);
}

#[actix_web::test]
async fn a_change_that_waits_for_a_start_is_taken_back_before_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let before = admin.setting("ServiceSettings.ReadTimeout").await;
    let reply = admin.put("/config/patch?confirm_within=10", json!({ "ServiceSettings": { "ReadTimeout": 77 } })).await;
    reply.expect(200);
    take_back(&admin, &version_of(&reply)).await.expect(200);
    assert_eq!(admin.setting("ServiceSettings.ReadTimeout").await, before);
    let pending = admin.get("/config/pending_restart").await.expect(200);
    assert!(!pending.to_string().contains("ReadTimeout"), "{pending}");
}

#[actix_web::test]
async fn a_change_of_which_nothing_is_left_frees_the_place() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let version = waiting(&admin, "short").await;
    admin.set(NAME, "later").await.expect(200);
    let reply = take_back(&admin, &version).await;
    assert_eq!((reply.status, reply.header("x-config-stored")), (200, "false".to_owned()));
    assert_eq!(reply.header("x-config-not-taken-back"), NAME);
    assert_eq!(admin.setting(NAME).await, "later");
    waiting(&admin, "next").await;
}

fn now_ms() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

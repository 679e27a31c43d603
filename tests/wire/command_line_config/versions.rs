//! Comparing and restoring versions.

use serde_json::Value;

use super::{QUIET, as_json, config, refused, with_store_and_server};
use crate::support::backdoor;
use crate::support::process::Workplace;

const BREAK: &str = "UPDATE configurations SET value = '{\"broken' WHERE active = TRUE";

async fn name(place: &Workplace, name: &str) -> String {
    let set = as_json(place, &["set", "TeamSettings.SiteName", name, "--json"]).await;
    set["version"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn versions_are_compared_with_each_other_and_with_the_active_one() {
    with_store_and_server(async |place| {
        let (one, two) = (name(place, "one").await, name(place, "two").await);
        name(place, "three").await;
        let [between, since, last] = [
            config(place, &["diff", &one, &two]).await,
            config(place, &["diff", &one]).await,
            config(place, &["diff"]).await,
        ];
        assert_eq!(between, "TeamSettings.SiteName: \"one\" -> \"two\"\n");
        assert_eq!(since, "TeamSettings.SiteName: \"one\" -> \"three\"\n");
        assert_eq!(last, "TeamSettings.SiteName: \"two\" -> \"three\"\n");
        assert_eq!(config(place, &["diff", &one, &one]).await, "the versions are equal\n");
        let missing = "a".repeat(26);
        let complaint = refused(place, &["diff", &missing]).await;
        assert_eq!(complaint, "quarterdeck: There is no such version of the configuration.\n");
    })
    .await;
}

#[actix_web::test]
async fn a_rollback_is_a_new_version() {
    with_store_and_server(async |place| {
        let one = name(place, "one").await;
        name(place, "two").await;
        let back = config(place, &["rollback", &one]).await;
        assert!(back.starts_with("TeamSettings.SiteName: \"two\" -> \"one\"\n"), "{back}");
        assert_eq!(config(place, &["get", "TeamSettings.SiteName"]).await, "\"one\"\n");
        let history = as_json(place, &["history", "--json"]).await;
        assert_eq!(history.as_array().unwrap().len(), 3);
        assert_eq!(history[0]["comment"], format!("rollback to {one}"));
        assert!(history.as_array().unwrap().iter().all(|version| version["source"] == "cli"), "{history}");
        let lines = config(place, &["history", "--limit", "1"]).await;
        assert!(lines.starts_with("* ") && lines.lines().count() == 1, "{lines}");
        config(place, &["rollback", "--last-good"]).await;
        assert_eq!(config(place, &["get", "TeamSettings.SiteName"]).await, "\"two\"\n");
    })
    .await;
}

#[actix_web::test]
async fn the_last_good_version_comes_back_when_the_active_one_cannot_be_read() {
    let place = Workplace::new(QUIET).await;
    name(&place, "one").await;
    name(&place, "two").await;
    backdoor::execute_in(&place.path(""), BREAK).await;
    let start = place.run(&["serve"], "").await;
    assert_eq!(start.status.code(), Some(1), "{start:?}");
    assert!(String::from_utf8(start.stderr).unwrap().contains("quarterdeck config rollback --last-good"));
    for subcommand in ["get", "validate", "export"] {
        assert!(refused(&place, &[subcommand]).await.contains("quarterdeck config rollback --last-good"));
    }
    assert!(refused(&place, &["set", "TeamSettings.SiteName", "three"]).await.contains("cannot be read"));
    let back = config(&place, &["rollback", "--last-good"]).await;
    assert!(back.starts_with("rolled back to "), "{back}");
    let server = place.serve().await;
    assert_eq!(server.client().get("/config/client").await.json()["SiteName"], "one");
}

#[actix_web::test]
async fn a_version_that_breaks_rules_is_passed_over() {
    let place = Workplace::new(QUIET).await;
    for site in ["one", "two", "three"] {
        name(&place, site).await;
    }
    backdoor::execute_in(&place.path(""), BREAK).await;
    let spoil = "UPDATE configurations SET value = '{\"TeamSettings\": {\"MaxUsersPerTeam\": -1}}' WHERE value LIKE '%\"two\"%'";
    backdoor::execute_in(&place.path(""), spoil).await;
    config(&place, &["rollback", "--last-good"]).await;
    assert_eq!(config(&place, &["get", "TeamSettings.SiteName"]).await, "\"one\"\n");
}

#[actix_web::test]
async fn a_row_that_breaks_under_a_running_server_is_found_and_mended() {
    let place = super::online().await;
    let server = place.serve().await;
    name(&place, "one").await;
    name(&place, "two").await;
    backdoor::execute_in(&place.path(""), BREAK).await;
    let checked = place.run(&["config", "validate", "--json"], "").await;
    assert_eq!(checked.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(found["valid"], false);
    config(&place, &["rollback", "--last-good"]).await;
    assert_eq!(server.client().get("/config/client").await.json()["SiteName"], "one");
    config(&place, &["validate"]).await;
}

#[actix_web::test]
async fn a_version_that_mattermost_made_is_listed_and_comes_back() {
    with_store_and_server(async |place| {
        name(place, "one").await;
        let made = "INSERT INTO configurations (id, value, createat, active, sha) \
                    VALUES ('abcdefghijkmnopqrstuwxyz13', '{\"TeamSettings\": {\"SiteName\": \"old\"}}', 1, NULL, '')";
        backdoor::execute_in(&place.path(""), made).await;
        let history = as_json(place, &["history", "--json"]).await;
        assert_eq!((&history[1]["create_at"], &history[1]["source"]), (&1.into(), &"".into()), "{history}");
        config(place, &["rollback", "abcdefghijkmnopqrstuwxyz13"]).await;
        assert_eq!(config(place, &["get", "TeamSettings.SiteName"]).await, "\"old\"\n");
    })
    .await;
}

#[actix_web::test]
async fn without_an_earlier_version_there_is_nothing_to_go_back_to() {
    with_store_and_server(async |place| {
        let complaint = refused(place, &["rollback", "--last-good"]).await;
        assert_eq!(complaint, "quarterdeck: there is no usable earlier version\n");
        assert_eq!(place.run(&["config", "rollback"], "").await.status.code(), Some(2));
    })
    .await;
}

//! A configuration in a JSON file: read as Mattermost wrote it, and written with its history in a folder beside it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::config_place::{read_json, version_of};

#[actix_web::test]
async fn a_server_starts_on_a_file_and_writes_nothing_before_the_first_change() {
    let server = on_file(Some(&written_by_mattermost())).await;
    let file = server.folder().join("config.json");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), written_by_mattermost());
    assert!(!server.folder().join("config.json.versions").exists());
    let admin = server.admin().await;
    let config = admin.get("/config").await.expect(200);
    assert_eq!(config["TeamSettings"]["SiteName"], "from the file");
    assert_eq!(config["TeamSettings"]["MaxUsersPerTeam"], 50, "what is missing has its default");
}

#[actix_web::test]
async fn a_server_without_a_file_makes_it_with_the_first_change() {
    let server = on_file(None).await;
    let file = server.folder().join("config.json");
    assert!(!file.exists());
    let admin = server.admin().await;
    rename(&admin, "one").await;
    assert_eq!(read_json(&file)["TeamSettings"]["SiteName"], "one");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("{\n    \""), "four spaces, as Mattermost writes it");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let versions = server.folder().join("config.json.versions");
    assert_eq!(std::fs::metadata(&versions).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(names_in(&versions).len(), 1);
}

#[actix_web::test]
async fn the_keys_of_a_file_stay_in_their_order() {
    let text = r#"{"TeamSettings": {"SiteName": "from the file", "EnableUserCreation": true}, "EmailSettings": {"SMTPPort": "25"}}"#;
    let server = on_file(Some(text)).await;
    let admin = server.admin().await;
    rename(&admin, "one").await;
    let written = std::fs::read_to_string(server.folder().join("config.json")).unwrap();
    let at = |key: &str| written.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key}: {written}"));
    assert!(at("SiteName") < at("EnableUserCreation") && at("EnableUserCreation") < at("EmailSettings"), "{written}");
    assert!(
        at("EmailSettings") < at("AnnouncementSettings"),
        "sections that the file did not have come last: {written}"
    );
}

#[actix_web::test]
async fn the_history_of_a_file_begins_with_what_was_in_it() {
    let server = on_file(Some(&written_by_mattermost())).await;
    let admin = server.admin().await;
    let first = version_of(&admin.get("/config").await);
    let second = rename(&admin, "two").await;
    let list = admin.get("/config/versions").await.expect(200);
    let told: Vec<_> =
        list.as_array().unwrap().iter().map(|one| (&one["id"], &one["source"], &one["is_active"])).collect();
    let (first_id, second_id) = (json!(first), json!(second));
    assert_eq!(told, [(&second_id, &json!("api"), &json!(true)), (&first_id, &json!("file"), &json!(false))]);
    assert_eq!(list[0]["user_id"], admin.user_id);
    let difference = admin.get(&format!("/config/versions/{first}/difference/{second}")).await.expect(200);
    let named = difference.as_array().unwrap().iter().find(|one| one["path"] == "TeamSettings.SiteName").unwrap();
    assert_eq!((&named["before"], &named["after"]), (&json!("from the file"), &json!("two")));
    admin.post(&format!("/config/versions/{first}/rollback"), json!({})).await.expect(200);
    assert_eq!(read_json(&server.folder().join("config.json"))["TeamSettings"]["SiteName"], "from the file");
    let shown = admin.get(&format!("/config/versions/{second}")).await.expect(200);
    assert_eq!(shown["config"]["TeamSettings"]["SiteName"], "two");
}

#[actix_web::test]
async fn an_edit_by_hand_takes_effect_with_a_reload_and_is_never_lost() {
    let server = on_file(None).await;
    let admin = server.admin().await;
    rename(&admin, "one").await;
    let file = server.folder().join("config.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"one\"", "\"edited\"")).unwrap();
    admin.post("/config/reload", json!({})).await.expect_ok();
    let reply = admin.get("/config").await;
    assert_eq!(reply.json()["TeamSettings"]["SiteName"], "edited");
    let edited = version_of(&reply);
    rename(&admin, "three").await;
    let shown = admin.get(&format!("/config/versions/{edited}")).await.expect(200);
    assert_eq!(shown["config"]["TeamSettings"]["SiteName"], "edited");
}

#[actix_web::test]
async fn an_edit_between_two_changes_survives_without_a_reload() {
    let server = on_file(None).await;
    let admin = server.admin().await;
    let first = rename(&admin, "one").await;
    let file = server.folder().join("config.json");
    edit(&file, "\"MaxUsersPerTeam\": 50", "\"MaxUsersPerTeam\": 77");
    let reply = admin.put("/config/patch", json!({ "SupportSettings": { "HelpLink": "https://help.example" } })).await;
    let config = reply.expect(200);
    assert_eq!(config["TeamSettings"]["MaxUsersPerTeam"], 77);
    assert_eq!(config["SupportSettings"]["HelpLink"], "https://help.example");
    assert_eq!(reply.header("x-config-stored"), "true");
    assert_eq!(read_json(&file)["TeamSettings"]["MaxUsersPerTeam"], 77);
    let list = admin.get("/config/versions").await.expect(200);
    let sources: Vec<&Value> = list.as_array().unwrap().iter().map(|one| &one["source"]).collect();
    assert_eq!(sources, ["api", "file", "api"]);
    // The change contains only what the caller changed, relative to the version before the edit.
    assert_eq!(list[0]["changes"].as_array().unwrap().len(), 1, "{list}");
    let body = json!({ "TeamSettings": { "SiteName": "late" } }).to_string();
    let late = admin.send(Method::PUT, "/config/patch", Some(body), &[("If-Match", &format!("\"{first}\""))]).await;
    late.expect_refusal(412, "app.config.version_conflict.app_error");
}

#[actix_web::test]
async fn a_change_to_what_is_in_force_is_stored_where_an_edit_says_otherwise() {
    let server = on_file(None).await;
    let admin = server.admin().await;
    rename(&admin, "one").await;
    let file = server.folder().join("config.json");
    edit(&file, "\"one\"", "\"edited\"");
    rename(&admin, "one").await;
    assert_eq!(read_json(&file)["TeamSettings"]["SiteName"], "one");
    let again = admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "one" } })).await;
    again.expect(200);
    assert_eq!(again.header("x-config-stored"), "false");
}

#[actix_web::test]
async fn an_edit_that_breaks_a_rule_refuses_changes_and_stays() {
    let server = on_file(None).await;
    let admin = server.admin().await;
    rename(&admin, "one").await;
    let file = server.folder().join("config.json");
    edit(&file, "\"MaxUsersPerTeam\": 50", "\"MaxUsersPerTeam\": 0");
    let edited = std::fs::read(&file).unwrap();
    let refused = admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "two" } })).await;
    refused.expect_refusal(400, "model.config.is_valid.max_users.app_error");
    assert_eq!(std::fs::read(&file).unwrap(), edited);
    admin.put("/config/patch", json!({ "TeamSettings": { "MaxUsersPerTeam": 60 } })).await.expect(200);
    assert_eq!(read_json(&file)["TeamSettings"]["MaxUsersPerTeam"], 60);
}

#[actix_web::test]
async fn a_file_that_was_broken_meanwhile_is_neither_reloaded_nor_overwritten() {
    let server = on_file(None).await;
    let admin = server.admin().await;
    let good = rename(&admin, "one").await;
    let file = server.folder().join("config.json");
    for (broken, problem) in [
        (Some("{ \"TeamSettings\": {"), "line 1 column 19: the file ends too early"),
        (Some("nonsense"), "line 1 column 2: the file is not JSON"),
        (Some(""), "the file is empty"),
        (
            Some("{\"TeamSettings\": {\"SiteName\": 5}}"),
            "line 1: TeamSettings.SiteName must be a string, found a whole number",
        ),
        (None, "the file is missing"),
    ] {
        match broken {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        admin.post("/config/reload", json!({})).await.expect_refusal(500, "api.config.reload_config.app_error");
        let refused = admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "two" } })).await;
        refused.expect_refusal(500, "app.config.unreadable.app_error");
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(problem), "{message}");
        assert_eq!(std::fs::read_to_string(&file).ok().as_deref(), broken, "left as it is");
        assert_eq!(admin.get("/config").await.json()["TeamSettings"]["SiteName"], "one", "still in force");
    }
    // A rollback replaces the file and keeps a copy of it.
    std::fs::write(&file, "{ \"TeamSettings\": {").unwrap();
    admin.post(&format!("/config/versions/{good}/rollback"), json!({})).await.expect(200);
    assert_eq!(read_json(&file)["TeamSettings"]["SiteName"], "one");
    let versions = server.folder().join("config.json.versions");
    let broken: Vec<String> = names_in(&versions).into_iter().filter(|name| name.ends_with(".unreadable")).collect();
    assert_eq!(std::fs::read_to_string(versions.join(&broken[0])).unwrap(), "{ \"TeamSettings\": {");
}

#[actix_web::test]
async fn twenty_versions_are_kept() {
    let server = on_file(None).await;
    let admin = server.admin().await;
    let mut last = String::new();
    for number in 0..23 {
        last = rename(&admin, &format!("number {number}")).await;
    }
    let list = admin.get("/config/versions").await.expect(200);
    assert_eq!(list.as_array().unwrap().len(), 20);
    assert_eq!((&list[0]["id"], &list[0]["is_active"]), (&json!(last), &json!(true)));
    assert_eq!(admin.get("/config/versions?page=1&per_page=15").await.json().as_array().unwrap().len(), 5);
}

/// Replaces a text in the file, as an editor does.
fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(file, text.replace(from, to)).unwrap();
}

async fn rename(admin: &crate::support::Client, name: &str) -> String {
    let reply = admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": name } })).await;
    reply.expect(200);
    version_of(&reply)
}

/// Starts a server whose configuration is in a file with this text, or in a file that does not exist yet.
async fn on_file(text: Option<&str>) -> TestServer {
    let text = text.map(str::to_owned);
    let place = move |folder: &Path| {
        let file = folder.join("config.json");
        if let Some(text) = &text {
            std::fs::write(&file, text).unwrap();
        }
        vec![("MM_CONFIG".to_owned(), file.display().to_string())]
    };
    TestServer::start_in("", &place).await
}

fn written_by_mattermost() -> String {
    let document = json!({
        "FeatureFlags": { "TestFeature": "on" },
        "ServiceSettings": { "SiteURL": "https://chat.example.com" },
        "TeamSettings": { "SiteName": "from the file" },
    });
    let mut text = Vec::new();
    let four_spaces = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, four_spaces);
    serde::Serialize::serialize::<&mut serde_json::Serializer<_, _>>(&document as &Value, &mut serializer).unwrap();
    String::from_utf8(text).unwrap()
}

fn names_in(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

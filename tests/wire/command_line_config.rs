//! `quarterdeck config`: on the store, and through the local socket of a running server.

mod away;
mod confirmation;
mod extras;
mod refusals;
mod secrets;
mod spelling;
mod unapplied;
mod versions;

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::process::{Workplace, read};

const QUIET: &str = "[LogSettings]\nEnableConsole = false\nEnableFile = false\n";

const LOCAL: &str = "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\nEnableLocalMode = true\nLocalModeSocketLocation = \"qd.socket\"\n";

/// Runs a test on the store alone, and again through a running server.
async fn with_store_and_server(test: impl AsyncFn(&Workplace)) {
    test(&Workplace::new(QUIET).await).await;
    let place = online().await;
    let server = place.serve().await;
    test(&place).await;
    server.stop().await;
}

async fn online() -> Workplace {
    Workplace::new(&format!("{QUIET}{LOCAL}")).await
}

/// Runs `config`, which must succeed. Returns its output.
async fn config(place: &Workplace, arguments: &[&str]) -> String {
    piped(place, arguments, "").await
}

/// Runs `config` with standard input.
async fn piped(place: &Workplace, arguments: &[&str], input: &str) -> String {
    let ended = place.run(&[&["config"], arguments].concat(), input).await;
    assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}

/// Runs `config`, which must be refused. Returns the error.
async fn refused(place: &Workplace, arguments: &[&str]) -> String {
    let ended = place.run(&[&["config"], arguments].concat(), "").await;
    assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {ended:?}");
    String::from_utf8(ended.stderr).unwrap()
}

async fn as_json(place: &Workplace, arguments: &[&str]) -> Value {
    let text = config(place, arguments).await;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[actix_web::test]
async fn every_subcommand_explains_itself() {
    let place = Workplace::new("").await;
    for subcommand in ["get", "set", "unset", "diff", "rollback", "validate", "export", "import"] {
        let help = config(&place, &[subcommand, "--help"]).await;
        assert!(help.contains(&format!("quarterdeck config {subcommand}")), "{help}");
    }
    assert!(config(&place, &["--help"]).await.contains("rollback --last-good"));
    assert!(!place.path("test.db").exists());
}

#[actix_web::test]
async fn a_setting_is_read_changed_and_put_back() {
    with_store_and_server(async |place| {
        assert_eq!(config(place, &["get", "TeamSettings.SiteName"]).await, "\"Mattermost\"\n");
        let set = config(place, &["set", "TeamSettings.SiteName", "Bridge", "--comment", "a new name"]).await;
        assert!(set.contains("TeamSettings.SiteName: \"Mattermost\" -> \"Bridge\"\n"), "{set}");
        assert_eq!(config(place, &["get", "TeamSettings.SiteName"]).await, "\"Bridge\"\n");
        let again = config(place, &["set", "TeamSettings.SiteName", "Bridge"]).await;
        assert_eq!(again, "no changes\n");
        let history = as_json(place, &["history", "--json"]).await;
        assert_eq!(history.as_array().unwrap().len(), 1, "{history}");
        let remembered = [&history[0]["source"], &history[0]["comment"], &history[0]["is_active"]];
        assert_eq!(remembered, [&json!("cli"), &json!("a new name"), &json!(true)]);
        let unset = as_json(place, &["unset", "TeamSettings.SiteName", "--json"]).await;
        assert_eq!(unset["changes"][0]["after"], "Mattermost");
        assert_eq!(config(place, &["get", "TeamSettings.SiteName"]).await, "\"Mattermost\"\n");
    })
    .await;
}

#[actix_web::test]
async fn a_change_that_has_no_effect_where_it_is_stored_says_so() {
    with_store_and_server(async |place| {
        let ended = place.run(&["config", "set", "SqlSettings.QueryTimeout", "44"], "").await;
        let complaint = String::from_utf8(ended.stderr).unwrap();
        let expected =
            "SqlSettings.QueryTimeout: has no effect in this store: set it in config.toml or the environment";
        assert!(ended.status.success() && complaint.contains(expected), "{complaint}");
    })
    .await;
}

#[actix_web::test]
async fn several_paths_lists_and_maps_are_read_and_written_as_json() {
    with_store_and_server(async |place| {
        config(place, &["set", "DisplaySettings.CustomURLSchemes", r#"["git","smb"]"#]).await;
        config(place, &["set", "PluginSettings.Plugins", r#"{"com.example.one":{"Name":"n"}}"#]).await;
        config(place, &["set", "PluginSettings.Plugins", r#"{"two":{"Name":"m"}}"#]).await;
        let taken_out = config(place, &["set", "PluginSettings.Plugins", r#"{"two":null}"#]).await;
        // No schema says if a setting of a plugin is a secret.
        let is_hidden = taken_out.contains("PluginSettings.Plugins.two: {\"Name\":\"fingerprint ");
        assert!(is_hidden && taken_out.contains("\"} -> null"), "{taken_out}");
        config(place, &["set", "TeamSettings.MaxUsersPerTeam", "200"]).await;
        let got = as_json(place, &["get", "DisplaySettings.CustomURLSchemes", "TeamSettings.MaxUsersPerTeam"]).await;
        let expected =
            json!({ "DisplaySettings.CustomURLSchemes": ["git", "smb"], "TeamSettings.MaxUsersPerTeam": 200 });
        assert_eq!(got, expected);
        assert_eq!(config(place, &["get", "PluginSettings.Plugins.com.example.one.Name"]).await, "\"n\"\n");
        assert_eq!(as_json(place, &["get"]).await.as_object().unwrap().len(), 46);
    })
    .await;
}

#[actix_web::test]
async fn reading_makes_nothing() {
    let place = Workplace::new(QUIET).await;
    config(&place, &["get", "TeamSettings"]).await;
    config(&place, &["set", "TeamSettings.SiteName", "Bridge", "--dry-run"]).await;
    assert_eq!(config(&place, &["history"]).await, "no version was ever stored\n");
    assert!(!place.path("test.db").exists());
}

#[actix_web::test]
async fn a_running_server_takes_a_change_through_its_socket_at_once() {
    let place = online().await;
    let server = place.serve().await;
    let set = config(&place, &["set", "TeamSettings.SiteName", "Bridge"]).await;
    assert!(set.contains("active as version"), "{set}");
    assert_eq!(server.client().get("/config/client").await.json()["SiteName"], "Bridge");
}

#[actix_web::test]
async fn a_server_without_a_socket_takes_a_change_at_its_next_start() {
    let place = Workplace::new(QUIET).await;
    let server = place.serve().await;
    let set = config(&place, &["set", "TeamSettings.SiteName", "Bridge"]).await;
    assert!(set.contains("it takes effect at the next start or reload"), "{set}");
    assert_eq!(server.client().get("/config/client").await.json()["SiteName"], "Mattermost");
    server.stop().await;
    let server = place.serve().await;
    assert_eq!(server.client().get("/config/client").await.json()["SiteName"], "Bridge");
}

#[actix_web::test]
async fn the_socket_is_also_found_when_only_the_store_names_it() {
    let place = Workplace::new(QUIET).await;
    config(&place, &["set", "ServiceSettings.LocalModeSocketLocation", "stored.socket"]).await;
    config(&place, &["set", "ServiceSettings.EnableLocalMode", "true"]).await;
    let server = place.serve().await;
    config(&place, &["set", "TeamSettings.SiteName", "Bridge"]).await;
    assert_eq!(server.client().get("/config/client").await.json()["SiteName"], "Bridge");
}

#[actix_web::test]
async fn changes_at_the_same_time_are_all_kept() {
    let place = Workplace::new(QUIET).await;
    let settings = ["SiteName", "CustomBrandText", "CustomDescriptionText", "RestrictCreationToDomains"]
        .map(|key| format!("TeamSettings.{key}"));
    config(&place, &["set", "TeamSettings.MaxUsersPerTeam", "60"]).await;
    let writes = settings.iter().map(|path| async { config(&place, &["set", path, "chat.example"]).await });
    futures_util::future::join_all(writes).await;
    for path in &settings {
        assert_eq!(config(&place, &["get", path]).await, "\"chat.example\"\n", "{path}");
    }
    assert_eq!(as_json(&place, &["history", "--json"]).await.as_array().unwrap().len(), 5);
}

#[actix_web::test]
async fn what_is_exported_can_be_imported_and_changes_nothing() {
    with_store_and_server(async |place| {
        config(place, &["set", "TeamSettings.SiteName", "here & <there>"]).await;
        config(place, &["export", "config.json"]).await;
        let file = place.path("config.json");
        let text = read(&file);
        assert!(text.starts_with("{\n    \"") && text.contains("\"here \\u0026 \\u003cthere\\u003e\""), "{text}");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(config(place, &["import", "config.json"]).await, "no changes\n");
        std::fs::write(&file, text.replace("here ", "not here ")).unwrap();
        let dry = config(place, &["import", "config.json", "--dry-run"]).await;
        let change = "TeamSettings.SiteName: \"here & <there>\" -> \"not here & <there>\"\n";
        assert_eq!(dry, format!("{change}dry run: nothing is stored\n"));
        assert_eq!(as_json(place, &["history", "--json"]).await.as_array().unwrap().len(), 1);
        let imported = piped(place, &["import", "-"], &read(&file)).await;
        assert!(imported.starts_with(change), "{imported}");
        let kept = config(place, &["export", "--remove-defaults"]).await;
        assert!(kept.contains("SiteName") && !kept.contains("MaxUsersPerTeam"), "{kept}");
    })
    .await;
}

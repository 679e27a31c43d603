//! Configuration files and environment sets in the manner of public templates, with their spellings, old keys and
//! blanks: the server starts with each, and every setting that it then uses is as expected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use quarterdeck_actors::config::table::defaults;
use serde_json::Value;

use crate::support::TestServer;
use crate::support::backdoor::named_in;
use crate::support::configuration::{at, rows};

/// Settings that the test sets itself, in `config.toml` or in the template.
const SET_BY_TEST: [&str; 6] = [
    "AnnouncementSettings.NoticesURL",
    "FileSettings.Directory",
    "ServiceSettings.ListenAddress",
    "SqlSettings.DataSource",
    "SqlSettings.DriverName",
    "SqlSettings.MaxOpenConns",
];

#[actix_web::test]
async fn a_server_starts_with_a_file_of_yunohost() {
    assert_starts("yunohost").await;
}

#[actix_web::test]
async fn a_server_starts_with_the_values_of_a_helm_chart() {
    assert_starts("helm").await;
}

#[actix_web::test]
async fn a_server_starts_with_the_variables_of_a_compose_project() {
    assert_starts("compose").await;
}

#[actix_web::test]
async fn a_server_starts_with_the_settings_of_a_nixos_module() {
    assert_starts("nixos").await;
}

#[actix_web::test]
async fn a_server_starts_with_the_variables_of_a_kubernetes_operator() {
    assert_starts("operator").await;
}

/// Starts a server with a template and compares all settings that are not their defaults.
async fn assert_starts(template: &'static str) {
    let read = move |name: &str| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates").join(template).join(name);
        std::fs::read_to_string(file).unwrap()
    };
    let environment = move |folder: &Path| {
        std::fs::write(folder.join("config.json"), filled(&read("config.json"), folder)).unwrap();
        let variables = filled(&read("environment"), folder);
        let variables = variables.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let server = TestServer::start_in("", &environment).await;
    let differing = server.admin().await.get("/config?remove_defaults=true").await.expect(200);
    // Answers mask secrets, so the values are those that the server uses.
    let used = Value::Object(server.server.config().current().document.clone());
    let expected = filled(&read("expected.json"), server.folder());
    let expected: BTreeMap<String, Value> = serde_json::from_str(&expected).unwrap();
    assert_eq!(settings_in(&differing, &used), expected, "{template}");
}

/// Puts the places of this test into a template.
fn filled(text: &str, folder: &Path) -> String {
    let (driver, database) = named_in(folder);
    let folder: PathBuf = folder.to_owned();
    let text = text.replace("{folder}", &folder.display().to_string()).replace("{listen}", "127.0.0.1:0");
    text.replace("{driver}", &driver).replace("{database}", &database)
}

/// Returns the settings in `differing` by path, without those that the test sets. Secrets have their values in `used`.
///
/// An answer contains always-masked settings with any value, so those are compared with the defaults.
fn settings_in(differing: &Value, used: &Value) -> BTreeMap<String, Value> {
    let defaults = Value::Object(defaults());
    let mut found = BTreeMap::new();
    for row in rows().into_iter().filter(|row| row["type"] != "object") {
        let path = row["json_path"].as_str().unwrap();
        if path.contains(['[', '<']) || SET_BY_TEST.contains(&path) {
            continue;
        }
        let is_other = !at(differing, path).is_null();
        let is_other = if row["mask"] == "always" { at(used, path) != at(&defaults, path) } else { is_other };
        let value = if row["mask"].is_null() { at(differing, path) } else { at(used, path) };
        if is_other {
            found.insert(path.to_owned(), value.clone());
        }
    }
    found
}

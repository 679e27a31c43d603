//! Configuration files and environment sets in the manner of public templates, with their spellings, old keys and
//! blanks: the server starts with each, and every setting that it then uses is as expected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    let expected = filled(&read("expected.json"), server.folder());
    let expected: BTreeMap<String, Value> = serde_json::from_str(&expected).unwrap();
    assert_eq!(settings_in(&differing), expected, "{template}");
}

/// Puts the places of this test into a template.
fn filled(text: &str, folder: &Path) -> String {
    let (driver, database) = named_in(folder);
    let folder: PathBuf = folder.to_owned();
    let text = text.replace("{folder}", &folder.display().to_string()).replace("{listen}", "127.0.0.1:0");
    text.replace("{driver}", &driver).replace("{database}", &database)
}

/// Returns the settings of a document by path, without those of the test and those that are always hidden.
fn settings_in(document: &Value) -> BTreeMap<String, Value> {
    let compared = rows().into_iter().filter(|row| row["type"] != "object" && row["mask"] != "always");
    let paths = compared.map(|row| row["json_path"].as_str().unwrap().to_owned());
    let paths = paths.filter(|path| !path.contains(['[', '<']) && !SET_BY_TEST.contains(&path.as_str()));
    paths.map(|path| (at(document, &path).clone(), path)).filter(|(value, _)| !value.is_null()).map(swapped).collect()
}

fn swapped((value, path): (Value, String)) -> (String, Value) {
    (path, value)
}

//! `quarterdeck config` with a file in `MM_CONFIG`, and copies from one store to the other.

use serde_json::{Value, json};

use crate::support::database;
use crate::support::process::{Workplace, read};

/// Runs `quarterdeck config`, which must succeed. Returns its output.
async fn config(place: &Workplace, variables: &[(&str, &str)], arguments: &[&str]) -> String {
    let arguments: Vec<&str> = ["config"].iter().chain(arguments).copied().collect();
    let output = place.run_with(variables, &arguments, "").await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[actix_web::test]
async fn the_command_line_reads_and_writes_the_file_that_the_environment_names() {
    let place = Workplace::new("").await;
    let file = place.path("config.json");
    let named = [("MM_CONFIG", file.to_str().unwrap())];
    config(&place, &named, &["set", "TeamSettings.SiteName", "Bridge"]).await;
    let stored: Value = serde_json::from_str(&read(&file)).unwrap();
    assert_eq!(stored["TeamSettings"]["SiteName"], "Bridge");
    assert_eq!(config(&place, &named, &["get", "TeamSettings.SiteName"]).await, "\"Bridge\"");
    assert_eq!(config(&place, &[], &["get", "TeamSettings.SiteName"]).await, "\"Mattermost\"");
}

#[actix_web::test]
async fn a_configuration_goes_from_a_file_into_the_database_and_back() {
    let place = Workplace::new("").await;
    let (file, copy) = (place.path("config.json"), place.path("copy.json"));
    let named = [("MM_CONFIG", file.to_str().unwrap())];
    config(&place, &named, &["set", "TeamSettings.SiteName", "Bridge"]).await;
    let driver = config(&place, &[], &["get", "SqlSettings.DriverName"]).await;
    let address = config(&place, &[], &["get", "SqlSettings.DataSource", "--show-secrets"]).await;
    let database = if driver == "\"sqlite\"" { "sqlite".to_owned() } else { serde_json::from_str(&address).unwrap() };
    config(&place, &[], &["migrate", file.to_str().unwrap(), &database]).await;
    assert_eq!(config(&place, &[], &["get", "TeamSettings.SiteName"]).await, "\"Bridge\"");
    config(&place, &[], &["migrate", &database, copy.to_str().unwrap()]).await;
    assert_eq!(read(&file), read(&copy));
}

#[actix_web::test]
async fn certificates_go_along_and_another_postgres_gets_the_tables_of_the_configuration_only() {
    let place = Workplace::new("").await;
    std::fs::create_dir(place.path("old")).unwrap();
    let stored = json!({
        "SamlSettings": { "IdpCertificateFile": "idp.crt", "PublicCertificateFile": "sp.crt", "PrivateKeyFile": "sp.key" },
        "PluginSettings": { "SignaturePublicKeyFiles": ["audit.key", "/etc/hostname", "../config.toml", "config.json"] },
    });
    let [certificate, key] = ["CERTIFICATE", "PRIVATE KEY"].map(|kind| format!("-----BEGIN {kind}-----\n"));
    std::fs::write(place.path("old/audit.key"), "the key of the trail").unwrap();
    std::fs::write(place.path("old/config.json"), stored.to_string()).unwrap();
    std::fs::write(place.path("old/idp.crt"), &certificate).unwrap();
    std::fs::write(place.path("old/sp.key"), &key).unwrap();
    let base = database::base();
    let store = match &base {
        None => "sqlite".to_owned(),
        Some(base) => {
            let schema = database::fresh_schema(base).await;
            format!("{base}?sslmode=disable&options=-c%20search_path%3D{schema}")
        }
    };
    config(&place, &[], &["migrate", "old/config.json", &store]).await;
    config(&place, &[], &["migrate", &store, "new/config.json"]).await;
    assert_eq!(read(&place.path("new/idp.crt")), certificate);
    assert_eq!(read(&place.path("new/sp.key")), key);
    assert!(!place.path("new/sp.crt").exists(), "there was none");
    assert!(!place.path("new/audit.key").exists(), "the names of settings decide what is copied");
    assert!(read(&place.path("new/config.json")).contains("audit.key"));
    if let Some(base) = base {
        let schema = store.rsplit("%3D").next().unwrap();
        let tables = format!("SELECT tablename FROM pg_tables WHERE schemaname = '{schema}' ORDER BY 1");
        let tables = database::texts(&base, &tables).await;
        assert_eq!(tables, ["configurationfiles", "configurations", "qd_configconfirmation", "qd_configversions"]);
    }
}

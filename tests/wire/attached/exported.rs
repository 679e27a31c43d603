//! The configuration on its way to a Mattermost and back, from both places where Mattermost keeps it: a file and the
//! database.

use serde_json::{Value, json};

use crate::support::Client;
use crate::support::of_mattermost::unknown;
use crate::support::original::Original;
use crate::support::process::{Process, Workplace, read};

/// Settings that Mattermost 11.6 does not know, and one that it does.
fn newer() -> Value {
    json!({
        "FileSettings": {
            "DriverName": "azureblob", "AzureStorageAccount": "harbour1", "AzureContainer": "files", "AzureAccessKey": "a2V5",
            "ExportDriverName": "azureblob", "ExportAzureStorageAccount": "harbour1",
        },
        "TeamSettings": { "SiteName": "Harbour" },
    })
}

/// Runs the command, which must pass. Returns its standard output and its standard error.
async fn passes(place: &Workplace, variables: &[(&str, &str)], arguments: &[&str]) -> [String; 2] {
    let output = place.run_with(variables, arguments, "").await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap())
}

const EXPORT: [&str; 5] = ["config", "export", "exported.json", "--show-secrets", "--for-mattermost"];
const DETACH: [&str; 3] = ["detach", "--yes", "--without-trail"];

/// Exports the configuration, which must be one of Mattermost, and returns it.
async fn exported(place: &Workplace, variables: &[(&str, &str)]) -> Value {
    let [_, said] = passes(place, variables, &EXPORT).await;
    for path in ["FileSettings.DriverName", "FileSettings.ExportDriverName"] {
        assert!(
            said.contains(&format!("{path} is left out: Mattermost 11.6 does not know the store azureblob")),
            "{said}"
        );
    }
    let document: Value = serde_json::from_str(&read(&place.path("exported.json"))).unwrap();
    assert_eq!(unknown(&document), Vec::<String>::new());
    assert_eq!(document["SqlSettings"]["DriverName"], "postgres");
    assert!(document["SqlSettings"]["DataSource"].as_str().unwrap().starts_with("postgres://"), "{document}");
    assert_eq!(document["TeamSettings"]["SiteName"], "Harbour");
    document
}

/// Changes settings on a server, which it stores once, and stops it.
async fn changed(server: Process) {
    let anna = server.client().log_in("anna").await;
    anna.put("/config/patch", newer()).await.expect(200);
    let version = tag(&anna).await;
    let whole = anna.config().await;
    anna.put("/config", whole).await.expect(200);
    anna.put("/config/patch", newer()).await.expect(200);
    assert_eq!(tag(&anna).await, version, "a change of nothing was stored");
    assert!(server.stop().await.success());
}

/// Returns a folder with a configuration in a file, with this section `SqlSettings`.
async fn in_file(sql: &Value) -> Workplace {
    let place = Workplace::new("[SqlSettings]\n").await;
    let document = json!({
        "ServiceSettings": { "SiteURL": "https://chat.example", "ListenAddress": "127.0.0.1:0" },
        "SqlSettings": sql,
        "TeamSettings": { "SiteName": "Quay" },
        "FooSettings": { "Bar": "kept by this server" },
    });
    std::fs::write(place.path("config.json"), serde_json::to_string_pretty(&document).unwrap()).unwrap();
    place
}

/// Returns the tag of the configuration in force.
async fn tag(client: &Client) -> String {
    let reply = client.get("/config").await;
    reply.expect(200);
    reply.headers["etag"].to_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_configuration_in_the_database_is_stored_for_postgres_and_left_as_mattermost_knows_it() {
    let Some(original) = Original::start().await else { return };
    // A Mattermost that keeps its configuration in the database has this table, and the others are its own.
    original.execute("CREATE TABLE db_config_migrations (version bigint PRIMARY KEY, name varchar)").await;
    let before = original.schema().await;
    let place = original.workplace().await;
    let address = format!("{}?sslmode=disable", original.cluster.address());
    let named = [("MM_CONFIG", address.as_str())];
    for variables in [&[][..], &named] {
        changed(place.serve_with(variables, &["serve"]).await).await;
        let drivers = "SELECT DISTINCT value::json->'SqlSettings'->>'DriverName' FROM configurations";
        assert_eq!(original.texts(drivers).await, ["postgres"]);
        let document = exported(&place, variables).await;
        // The export comes back with the settings of this server, and a second time changes nothing.
        let import = ["config", "import", "exported.json"];
        passes(&place, variables, &import).await;
        let versions = original.texts("SELECT id FROM configurations").await;
        passes(&place, variables, &import).await;
        assert_eq!(original.texts("SELECT id FROM configurations").await, versions);
        let [again, _] = passes(&place, variables, &["config", "export", "--show-secrets", "--for-mattermost"]).await;
        assert_eq!(serde_json::from_str::<Value>(&again).unwrap()["TeamSettings"], document["TeamSettings"]);
        passes(&place, variables, &["config", "set", "FileSettings.AzureContainer", "other"]).await;
        passes(&place, variables, &DETACH).await;
        assert_eq!(original.schema().await, before);
        let active = original.texts("SELECT value FROM configurations WHERE active").await;
        let active: Value = serde_json::from_str(&active[0]).unwrap();
        assert_eq!(unknown(&active), Vec::<String>::new());
        assert_eq!(active["SqlSettings"]["DriverName"], "postgres");
        assert_eq!(active["TeamSettings"]["SiteName"], "Harbour");
    }
}

#[actix_web::test]
async fn a_configuration_in_a_file_names_the_database_and_is_exported_as_mattermost_knows_it() {
    let Some(original) = Original::start().await else { return };
    let before = original.schema().await;
    let address = format!("{}?sslmode=disable", original.cluster.address());
    let named = [("MM_CONFIG", "config.json")];
    // An earlier version of this server named its own engine in the file.
    let sqlite = json!({ "DriverName": "sqlite", "DataSource": address });
    let place = in_file(&sqlite).await;
    let server = place.serve_with(&named, &["serve"]).await;
    let anna = server.client().log_in("anna").await;
    let (version, text) = (tag(&anna).await, read(&place.path("config.json")));
    anna.put("/config", anna.config().await).await.expect(200);
    anna.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Quay" } })).await.expect(200);
    assert_eq!((tag(&anna).await, read(&place.path("config.json"))), (version, text), "a change of nothing was stored");
    changed(server).await;
    let written: Value = serde_json::from_str(&read(&place.path("config.json"))).unwrap();
    assert_eq!(written["SqlSettings"]["DriverName"], "postgres");
    passes(&place, &named, &DETACH).await;
    // Mattermost needs no name of its engine in the file.
    let place = in_file(&json!({ "DataSource": address, "Foo": 1 })).await;
    let [told, _] = passes(&place, &named, &["check"]).await;
    assert!(told.contains("database of: Mattermost, schema 167") && told.contains("config.json"), "{told}");
    changed(place.serve_with(&named, &["serve"]).await).await;
    assert!(original.texts("SELECT id FROM configurations").await.is_empty(), "the file has the versions");
    let written: Value = serde_json::from_str(&read(&place.path("config.json"))).unwrap();
    assert_eq!(written["SqlSettings"]["DriverName"], "postgres");
    let document = exported(&place, &named).await;
    assert_eq!(document["SqlSettings"]["DataSource"], address);
    let [_, said] = passes(&place, &named, &EXPORT).await;
    assert!(said.contains("no settings of Mattermost are left out: FooSettings, SqlSettings.Foo"), "{said}");
    let refused = place.run_with(&named, &[&EXPORT[..], &["--remove-defaults"]].concat(), "").await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(2) && said.contains("cannot be used with '--remove-defaults"), "{said}");
    let [told, _] = passes(&place, &named, &DETACH).await;
    assert!(told.contains("no table, index, trigger, function or row of systems of this server is left"), "{told}");
    assert_eq!(original.schema().await, before);
    assert_eq!(serde_json::from_str::<Value>(&read(&place.path("config.json"))).unwrap(), written, "the file stays");
    // The exported file is one to attach with.
    std::fs::rename(place.path("exported.json"), place.path("config.json")).unwrap();
    let server = place.serve_with(&named, &["serve"]).await;
    let anna = server.client().log_in("anna").await;
    assert_eq!(anna.setting("TeamSettings.SiteName").await, "Harbour");
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn another_database_for_the_configuration_is_refused_before_the_first_change_if_its_tables_cannot_be_made() {
    let Some(original) = Original::start().await else { return };
    original.execute("CREATE DATABASE settings").await;
    original.execute("CREATE ROLE clerk LOGIN").await;
    let before = original.state().await;
    let place = original.workplace().await;
    let address = original.cluster.address();
    let owner = format!("{}/settings", address.rsplit_once('/').unwrap().0);
    let (clerk, named) = [owner.replace("qd@", "clerk@"), owner.clone()].map(|place| place + "?sslmode=disable").into();
    for command in ["check", "serve"] {
        let refused = place.run_with(&[("MM_CONFIG", &clerk)], &[command], "").await;
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains("GRANT CREATE ON SCHEMA public TO clerk"), "{command}: {said}");
    }
    assert_eq!(original.state().await, before);
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
    assert!(crate::support::database::texts(&owner, tables).await.is_empty());
    // Once the tables are there, the rights on their rows are enough.
    changed(place.serve_with(&[("MM_CONFIG", &named)], &["serve"]).await).await;
    crate::support::database::execute(&owner, "GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk").await;
    assert!(place.serve_with(&[("MM_CONFIG", &clerk)], &["serve"]).await.stop().await.success());
}

#[actix_web::test]
async fn a_configuration_in_another_database_stays_there() {
    let Some(original) = Original::start().await else { return };
    original.execute("CREATE DATABASE settings").await;
    let before = original.schema().await;
    let place = original.workplace().await;
    let (server, _) =
        original.cluster.address().rsplit_once('/').map(|(server, name)| (server.to_owned(), name.to_owned())).unwrap();
    let address = format!("{server}/settings?sslmode=disable");
    let named = [("MM_CONFIG", address.as_str())];
    changed(place.serve_with(&named, &["serve"]).await).await;
    exported(&place, &named).await;
    let [told, _] = passes(&place, &named, &DETACH).await;
    let stays = "/settings, which stays as it is, with the tables qd_configversions and qd_configconfirmation";
    assert!(told.contains("the configuration is in PostgreSQL at 127.0.0.1:") && told.contains(stays), "{told}");
    assert_eq!(original.schema().await, before);
    let elsewhere = format!("{server}/settings");
    let drivers = "SELECT DISTINCT value::json->'SqlSettings'->>'DriverName' FROM configurations";
    assert_eq!(crate::support::database::texts(&elsewhere, drivers).await, ["postgres"]);
}

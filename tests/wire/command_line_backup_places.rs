//! Backups of installations with their configuration in another PostgreSQL, or their licence outside of the database.

use crate::support::backdoor::{execute_in, texts_in};
use crate::support::backup::{QUIET, bad, bring, good, on_sqlite};
use crate::support::configuration::nested;
use crate::support::license::Seller;
use crate::support::process::{Process, Workplace};
use crate::support::server::account;
use crate::support::{Client, database};

/// Creates a separate schema and returns its address.
async fn other_database(base: &str) -> String {
    let schema = database::fresh_schema(base).await;
    format!("{base}?sslmode=disable&options=-c%20search_path%3D{schema}")
}

/// Creates the first account of a server.
async fn administrator(server: &Process) -> Client {
    server.client().post("/users", account("admin")).await.expect(201);
    server.client().log_in("admin").await
}

async fn site_name(server: &Process) -> String {
    let admin = server.client().log_in("admin").await;
    admin.get("/config").await.expect(200)["TeamSettings"]["SiteName"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_configuration_in_another_postgresql_goes_into_the_database_and_can_be_moved_out_again() {
    let Some(base) = database::only_postgres("this is about PostgreSQL") else { return };
    for is_on_sqlite in [false, true] {
        let address = other_database(&base).await;
        let config = [("MM_CONFIG", address.as_str())];
        let (place, other) = (Workplace::new(QUIET).await, Workplace::new(QUIET).await);
        if is_on_sqlite {
            on_sqlite(&place, "test.db");
            on_sqlite(&other, "test.db");
        }
        // The version is from a time when the configuration was in the database itself.
        let server = place.serve().await;
        let admin = administrator(&server).await;
        admin.put("/config/patch", nested("TeamSettings.SiteName", "Earlier")).await.expect(200);
        assert!(server.stop().await.success());
        let server = place.serve_with(&config, &["serve"]).await;
        let admin = server.client().log_in("admin").await;
        admin.put("/config/patch", nested("TeamSettings.SiteName", "Elsewhere")).await.expect(200);
        // Certificates of a SAML provider go along with the configuration that names them.
        execute_in(&place.path(""), &file_row("idp.crt", "earlier")).await;
        database::execute(&address, &file_row("idp.crt", "elsewhere")).await;
        database::execute(&address, &file_row("sp.key", "elsewhere")).await;
        good(place.run_with(&config, &["backup", "one.qdbackup"], "").await);
        assert!(server.stop().await.success());
        good(place.run_with(&config, &["backup", "verify", "one.qdbackup"], "").await);

        bring(&place, &other, "one.qdbackup");
        let elsewhere = other_database(&base).await;
        let elsewhere = [("MM_CONFIG", elsewhere.as_str())];
        let refused = bad(other.run_with(&elsewhere, &["restore", "one.qdbackup"], "").await);
        assert!(refused.contains("MM_CONFIG names another database here: restore without it"), "{refused}");
        good(other.run(&["restore", "one.qdbackup"], "").await);
        let server = other.serve().await;
        assert_eq!(site_name(&server).await, "Elsewhere");
        assert!(server.stop().await.success());
        assert_eq!(texts_in(&other.path(""), FILES).await, ["idp.crt: elsewhere", "sp.key: elsewhere"]);
        let history = good(other.run(&["config", "history"], "").await);
        assert!(!history.contains("Earlier"), "{history}");
        if is_on_sqlite {
            good(other.run(&["config", "migrate", "sqlite", elsewhere[0].1], "").await);
            let server = other.serve_with(&elsewhere, &["serve"]).await;
            assert_eq!(site_name(&server).await, "Elsewhere");
        }
    }
}

const FILES: &str = "SELECT name || ': ' || data FROM configurationfiles ORDER BY name";

fn file_row(name: &str, data: &str) -> String {
    format!("INSERT INTO configurationfiles (name, data, createat, updateat) VALUES ('{name}', '{data}', 1, 1)")
}

/// The tables of the configuration in the other database are those of an earlier version.
#[actix_web::test]
async fn a_database_of_the_configuration_without_a_table_for_files_is_backed_up_without_files() {
    let Some(base) = database::only_postgres("this is about PostgreSQL") else { return };
    let address = other_database(&base).await;
    let config = [("MM_CONFIG", address.as_str())];
    let (place, other) = (Workplace::new(QUIET).await, Workplace::new(QUIET).await);
    let server = place.serve_with(&config, &["serve"]).await;
    administrator(&server).await;
    assert!(server.stop().await.success());
    execute_in(&place.path(""), &file_row("idp.crt", "earlier")).await;
    database::execute(&address, "DROP TABLE configurationfiles").await;
    good(place.run_with(&config, &["backup", "one.qdbackup"], "").await);
    good(place.run(&["backup", "verify", "one.qdbackup"], "").await);
    bring(&place, &other, "one.qdbackup");
    good(other.run(&["restore", "one.qdbackup"], "").await);
    assert_eq!(texts_in(&other.path(""), FILES).await, Vec::<String>::new());
}

#[actix_web::test]
async fn custom_defaults_go_along_and_take_effect_where_the_variable_names_them() {
    const VARIABLE: &str = "MM_CUSTOM_DEFAULTS_PATH";
    let place = Workplace::new(QUIET).await;
    let defaults = r#"{"TeamSettings": {"CustomDescriptionText": "of the house"}}"#;
    // The folder of the file store, which must not have the file a second time.
    std::fs::create_dir(place.path("files")).unwrap();
    std::fs::write(place.path("files/defaults.json"), defaults).unwrap();
    let named = [(VARIABLE, "files/defaults.json")];
    let server = place.serve_with(&named, &["serve"]).await;
    administrator(&server).await;
    good(place.run_with(&named, &["backup", "one.qdbackup", "--with-files"], "").await);
    good(place.run(&["backup", "verify", "one.qdbackup"], "").await);
    assert!(server.stop().await.success());

    let other = Workplace::new(QUIET).await;
    bring(&place, &other, "one.qdbackup");
    let said = good(other.run(&["restore", "one.qdbackup", "--settings", "old", "--files", "files"], "").await);
    assert!(said.contains("MM_CUSTOM_DEFAULTS_PATH names old/custom-defaults.json"), "{said}");
    assert_eq!(std::fs::read_to_string(other.path("old/custom-defaults.json")).unwrap(), defaults);
    assert!(!other.path("files/defaults.json").exists());
    for (variables, text) in [(vec![], ""), (vec![(VARIABLE, "old/custom-defaults.json")], "of the house")] {
        let server = other.serve_with(&variables, &["serve"]).await;
        let admin = server.client().log_in("admin").await;
        let config = admin.get("/config").await.expect(200);
        assert_eq!(config["TeamSettings"]["CustomDescriptionText"], text);
        assert!(server.stop().await.success());
    }
}

/// Returns the id of the licence in force on a server.
async fn licensed(server: &Process) -> Option<String> {
    let admin = server.client().log_in("admin").await;
    let told = admin.get("/license/client?format=old").await.expect(200);
    told["Id"].as_str().map(str::to_owned)
}

#[actix_web::test]
async fn a_licence_of_the_environment_goes_along_and_can_be_given_to_the_restored_place() {
    let seller = Seller::new().await;
    let license = seller.license(&[]).await;
    let settings = seller.settings(QUIET);
    let place = Workplace::new(&settings).await;
    let variable = [("MM_LICENSE", license.as_str())];
    let server = place.serve_with(&variable, &["serve"]).await;
    administrator(&server).await;
    let id = licensed(&server).await;
    assert!(id.is_some());
    good(place.run_with(&variable, &["backup", "one.qdbackup"], "").await);
    assert!(server.stop().await.success());
    good(place.run(&["backup", "verify", "one.qdbackup"], "").await);

    let other = Workplace::new(&settings).await;
    bring(&place, &other, "one.qdbackup");
    let said = good(other.run(&["restore", "one.qdbackup", "--settings", "old"], "").await);
    assert!(!said.contains("not restored"), "{said}");
    assert_eq!(std::fs::read_to_string(other.path("old/license.txt")).unwrap(), license);
    // The licence was never in the database, so it does not take effect by itself.
    let server = other.serve().await;
    assert_eq!(licensed(&server).await, None);
    assert!(server.stop().await.success());
    let server = other.serve_with(&variable, &["serve"]).await;
    assert_eq!(licensed(&server).await, id);
    assert!(server.stop().await.success());
    let named = [("MM_SERVICESETTINGS_LICENSEFILELOCATION", "old/license.txt")];
    let server = other.serve_with(&named, &["serve"]).await;
    assert_eq!(licensed(&server).await, id);
}

#[actix_web::test]
async fn a_licence_in_a_file_is_in_force_after_the_restore_and_a_missing_file_is_told() {
    let seller = Seller::new().await;
    let license = seller.license(&[]).await;
    let settings = seller.settings(QUIET);
    let place = Workplace::new(&settings).await;
    std::fs::write(place.path("file.license"), &license).unwrap();
    let named = [("MM_SERVICESETTINGS_LICENSEFILELOCATION", "file.license")];
    let server = place.serve_with(&named, &["serve"]).await;
    administrator(&server).await;
    let id = licensed(&server).await;
    assert!(id.is_some());
    let said = good(place.run_with(&named, &["backup", "one.qdbackup"], "").await);
    assert!(said.contains("ServiceSettings.LicenseFileLocation"), "{said}");
    std::fs::remove_file(place.path("file.license")).unwrap();
    let said = good(place.run_with(&named, &["backup", "two.qdbackup"], "").await);
    assert!(said.contains("not included: the licence in file.license: No such file"), "{said}");
    assert!(server.stop().await.success());

    // The server stored the licence when it read it, so both backups contain it in their rows.
    for name in ["one.qdbackup", "two.qdbackup"] {
        let other = Workplace::new(&settings).await;
        bring(&place, &other, name);
        good(other.run(&["restore", name, "--settings", "old"], "").await);
        assert_eq!(other.path("old/license.txt").exists(), name == "one.qdbackup");
        let server = other.serve().await;
        assert_eq!(licensed(&server).await, id, "{name}");
    }
}

//! `quarterdeck import --from config.json`: a configuration file goes into the database of the server.

use serde_json::{Value, json};

use crate::support::backup::{QUIET, bad, good, names, on_sqlite};
use crate::support::process::Workplace;
use crate::support::trail::events_in;

/// Writes the configuration of a Mattermost with a certificate.
fn write(place: &Workplace, site: &str) {
    let document = json!({
        "TeamSettings": { "SiteName": site },
        "SqlSettings": { "DriverName": "postgres", "DataSource": "postgres://qd:canary@elsewhere/mattermost" },
        "SamlSettings": { "IdpCertificateFile": "idp.crt" },
        "ElsewhereSettings": { "One": 1 },
    });
    std::fs::create_dir_all(place.path("old")).unwrap();
    std::fs::write(place.path("old/config.json"), document.to_string()).unwrap();
    std::fs::write(place.path("old/idp.crt"), "-----BEGIN CERTIFICATE-----\n").unwrap();
}

#[actix_web::test]
async fn a_configuration_file_becomes_a_version_in_the_database() {
    let embedded = Workplace::new(QUIET).await;
    on_sqlite(&embedded, "test.db");
    for place in [Workplace::new(QUIET).await, embedded] {
        write(&place, "Harbour");
        let there = names(&place);
        let import = ["import", "--from", "old/config.json"];
        let said = good(place.run(&[&import[..], &["--dry-run"]].concat(), "").await);
        assert_eq!(said, "old/config.json: 1 read, 1 new: a dry run, nothing was changed\n");
        assert_eq!(names(&place), there);
        assert_eq!(good(place.run(&import, "").await), "old/config.json: 1 read, 1 new: stored\n");
        let again = good(place.run(&import, "").await);
        assert_eq!(again, "old/config.json: 1 read, 0 new: nothing was changed\n");
        let exported = good(place.run(&["config", "export"], "").await);
        let exported: Value = serde_json::from_str(&exported).unwrap();
        assert_eq!(exported["TeamSettings"]["SiteName"], "Harbour");
        assert_eq!(exported["ElsewhereSettings"]["One"], 1);
        assert_eq!(events_in(&place.path("")).await, ["migrateConfig success"]);
        write(&place, "Quay");
        assert_eq!(good(place.run(&import, "").await), "old/config.json: 1 read, 1 new: stored\n");
        good(place.run(&["audit", "verify"], "").await);
        let server = place.serve().await;
        assert!(server.stop().await.success());
    }
}

#[actix_web::test]
async fn a_file_that_is_missing_or_no_configuration_is_refused() {
    let place = Workplace::new(QUIET).await;
    on_sqlite(&place, "test.db");
    write(&place, "Harbour");
    std::fs::write(place.path("broken.json"), "{").unwrap();
    let there = names(&place);
    for (file, text) in [("none.json", "there is no configuration in it"), ("broken.json", "broken.json: ")] {
        let refused = bad(place.run(&["import", "--from", file], "").await);
        assert!(refused.contains(text), "{refused}");
    }
    let named = [("MM_CONFIG", "config.json")];
    let refused = bad(place.run_with(&named, &["import", "--from", "old/config.json"], "").await);
    assert!(refused.contains("quarterdeck config migrate old/config.json") && !refused.contains("canary"), "{refused}");
    assert_eq!(names(&place), there);
}

//! Rows and tables that a refused start and a move out of a database leave as they are.

use serde_json::json;

use super::refused::refused_in_database;
use crate::support::backup::{QUIET, good, on_sqlite};
use crate::support::original::Original;
use crate::support::process::{Workplace, read};

#[actix_web::test]
async fn a_broken_configuration_leaves_nothing_behind_in_the_database() {
    let Some(original) = Original::start().await else { return };
    let before = original.dump().await;
    let place = Workplace::new("[SqlSettings]\n").await;
    let address = format!("{}?sslmode=disable", original.cluster.address());
    let broken = json!({
        "ServiceSettings": { "ListenAddress": "127.0.0.1:0", "MaximumLoginAttempts": 0 },
        "SqlSettings": { "DriverName": "postgres", "DataSource": address },
    });
    let named = [("MM_CONFIG", "config.json")];
    for (text, why) in [(broken.to_string(), "MaximumLoginAttempts"), ("{".to_owned(), "config.json")] {
        std::fs::write(place.path("config.json"), &text).unwrap();
        for command in ["check", "serve"] {
            let output = place.run_with(&named, &[command], "").await;
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.code() == Some(1) && said.contains(why), "{command}: {said}");
        }
        assert_eq!(read(&place.path("config.json")), text);
    }
    assert_eq!(original.dump().await, before, "a refused start changed something");
    for value in [r#"{"ServiceSettings": {"MaximumLoginAttempts": 0}}"#, "{"] {
        let row = format!("('{}', '{value}', 1, true)", "c".repeat(26));
        original
            .execute(&format!(
                "DELETE FROM configurations; INSERT INTO configurations (id, value, createat, active) VALUES {row}"
            ))
            .await;
        let before = original.dump().await;
        let said = refused_in_database(&original, &original.settings_of("qd")).await;
        assert!(said.contains("configuration"), "{said}");
        assert_eq!(original.dump().await, before, "{said}");
    }
}

#[actix_web::test]
async fn an_import_and_a_copy_of_the_configuration_leave_their_source_as_it_is() {
    let Some(original) = Original::start().await else { return };
    let document = r#"{"TeamSettings": {"SiteName": "Harbour"}, "SqlSettings": {"DriverName": "postgres"}}"#;
    original
        .execute(&format!(
            "INSERT INTO configurations (id, value, createat, active) VALUES ('{}', '{document}', 1, true)",
            "c".repeat(26)
        ))
        .await;
    let address = format!("{}?sslmode=disable", original.cluster.address());
    let before = original.dump().await;
    let embedded = Workplace::new(QUIET).await;
    on_sqlite(&embedded, "test.db");
    for place in [Workplace::new(QUIET).await, embedded] {
        for more in [&["--dry-run"][..], &[], &[]] {
            good(place.run(&[&["import", "--from", &address], more].concat(), "").await);
        }
        good(place.run(&["config", "migrate", &address, "copy.json"], "").await);
        assert!(read(&place.path("copy.json")).contains("\"SiteName\": \"Harbour\""));
    }
    assert_eq!(original.dump().await, before, "the source was changed");
}

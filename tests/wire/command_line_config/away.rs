//! `quarterdeck config` and other commands on a `config.json` while the database of the accounts is down or frozen.

use std::net::TcpListener;

use super::QUIET;
use crate::support::database;
use crate::support::process::{Workplace, read};

/// The settings of a PostgreSQL at this address. No output may contain its password.
fn postgres(at: &str) -> String {
    format!(
        "{QUIET}[SqlSettings]\nDriverName = \"postgres\"\n\
         DataSource = \"postgres://me:canary-word@{at}/chat?sslmode=disable\"\n"
    )
}

/// A database that cannot be used.
struct Away {
    settings: String,
    /// Accepts connections and never answers; `None` if nothing listens.
    frozen: Option<TcpListener>,
    /// The words of the reason.
    reason: &'static str,
}

impl Away {
    fn both() -> [Self; 2] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let at = listener.local_addr().unwrap().to_string();
        [
            Self { settings: postgres("127.0.0.1:1"), frozen: None, reason: "the database cannot be read: " },
            Self { settings: postgres(&at), frozen: Some(listener), reason: "the database has not answered for 3 s" },
        ]
    }

    /// Returns true if a command connected to the frozen database since the last call.
    fn was_called(&self) -> bool {
        self.frozen.as_ref().is_some_and(|listener| std::iter::from_fn(|| listener.accept().ok()).count() > 0)
    }
}

/// Runs a command that must succeed. Returns its standard output and standard error.
async fn good(place: &Workplace, arguments: &[&str]) -> (String, String) {
    let ended = place.run_with(&[("MM_CONFIG", "config.json")], arguments, "").await;
    assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    let texts = (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
    assert!(!texts.0.contains("canary") && !texts.1.contains("canary"), "{texts:?}");
    texts
}

/// Runs a command that must fail. Returns its standard error.
async fn bad(place: &Workplace, arguments: &[&str]) -> String {
    let ended = place.run_with(&[("MM_CONFIG", "config.json")], arguments, "").await;
    assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {ended:?}");
    let text = String::from_utf8(ended.stderr).unwrap();
    assert!(!text.contains("canary"), "{text}");
    text
}

#[actix_web::test]
async fn a_whole_configuration_file_is_read_without_the_database() {
    let place = Workplace::new(QUIET).await;
    for name in ["One", "Two"] {
        good(&place, &["config", "set", "TeamSettings.SiteName", name]).await;
    }
    for away in Away::both() {
        place.configure(&away.settings);
        let (site_name, said) = good(&place, &["config", "get", "TeamSettings.SiteName"]).await;
        assert_eq!((site_name.as_str(), said.as_str()), ("\"Two\"\n", ""));
        for command in
            [&["config", "export"][..], &["config", "validate"], &["config", "history"], &["storage", "test"]]
        {
            let (_, said) = good(&place, command).await;
            assert_eq!(said, "", "{command:?}");
        }
        assert!(!away.was_called());
        // These need the key of the installation's fingerprints, and say that they do without it.
        for (command, output) in [
            (&["config", "diff"][..], "TeamSettings.SiteName: \"One\" -> \"Two\""),
            (&["config", "set", "TeamSettings.SiteName", "Three", "--dry-run"], "TeamSettings.SiteName"),
        ] {
            let (said, remarks) = good(&place, command).await;
            assert!(said.contains(output), "{command:?}: {said}");
            assert!(remarks.contains(away.reason), "{command:?}: {remarks}");
            assert!(remarks.contains("fingerprints of secrets differ"), "{command:?}: {remarks}");
        }
    }
}

#[actix_web::test]
async fn settings_that_depend_on_the_installation_are_named_where_the_database_is_away() {
    let place = Workplace::new(QUIET).await;
    let text = "{\"ServiceSettings\": {\"SiteURL\": \"https://chat.example\", \"SessionLengthWebInDays\": 7}}";
    std::fs::write(place.path("config.json"), text).unwrap();
    for away in Away::both() {
        place.configure(&away.settings);
        let hours = ["config", "get", "ServiceSettings.SessionLengthWebInHours"];
        let (hours, said) = good(&place, &hours).await;
        assert_eq!(hours, "168\n");
        assert!(said.contains(away.reason), "{said}");
        assert!(said.contains("ServiceSettings.SessionLengthWebInHours"), "{said}");
        assert!(!said.contains("ServiceSettings.SiteURL"), "{said}");
        away.was_called();
        // No setting of the storage depends on it.
        let (_, said) = good(&place, &["storage", "test"]).await;
        assert_eq!(said, "");
        assert!(!away.was_called());
    }
}

/// The file may name the wrong database, so it can be changed without one.
#[actix_web::test]
async fn a_file_is_changed_without_the_database_and_the_command_says_that_the_trail_has_no_record() {
    let place = Workplace::new(QUIET).await;
    for name in ["One", "Two"] {
        good(&place, &["config", "set", "TeamSettings.SiteName", name]).await;
    }
    let site_name = async || good(&place, &["config", "get", "TeamSettings.SiteName"]).await.0;
    for away in Away::both() {
        place.configure(&away.settings);
        for (command, name) in [
            (&["config", "set", "TeamSettings.SiteName", "Three", "--comment", "without"][..], "\"Three\"\n"),
            (&["config", "rollback", "--last-good"], "\"Two\"\n"),
        ] {
            let (stored, said) = good(&place, command).await;
            assert!(stored.contains("stored as version "), "{command:?}: {stored}");
            assert!(said.contains(away.reason), "{command:?}: {said}");
            assert_eq!(said.matches("the audit trail has no record of this change").count(), 1, "{command:?}: {said}");
            assert_eq!(site_name().await, name);
        }
        let (history, _) = good(&place, &["config", "history"]).await;
        assert!(history.contains("without") && history.contains("cli"), "{history}");
        let invalid = bad(&place, &["config", "set", "TeamSettings.MaxUsersPerTeam", "0"]).await;
        assert!(invalid.contains("TeamSettings.MaxUsersPerTeam: "), "{invalid}");
    }
    place.configure(QUIET);
    let (_, said) = good(&place, &["config", "set", "TeamSettings.SiteName", "Four"]).await;
    assert_eq!(said, "");
}

#[actix_web::test]
async fn a_configuration_in_another_database_is_changed_while_that_of_the_accounts_is_down() {
    let Some(base) = database::only_postgres("two databases are needed") else { return };
    let schema = database::fresh_schema(&base).await;
    let store = format!("{base}?sslmode=disable&options=-c%20search_path%3D{schema}");
    let place = Workplace::new(QUIET).await;
    place.configure(&postgres("127.0.0.1:1"));
    for name in ["One", "Two"] {
        let set = ["config", "set", "TeamSettings.SiteName", name];
        let ended = place.run_with(&[("MM_CONFIG", &store)], &set, "").await;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success() && said.contains("has no record of this change"), "{said}");
    }
    let get = ["config", "get", "TeamSettings.SiteName"];
    let ended = place.run_with(&[("MM_CONFIG", &store)], &get, "").await;
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "\"Two\"\n");
}

#[actix_web::test]
async fn a_change_without_the_database_stores_no_default_that_only_the_database_tells() {
    let place = Workplace::new(QUIET).await;
    let text = "{\"ServiceSettings\": {\"SiteURL\": \"https://chat.example\", \"SessionLengthMobileInDays\": 7}}";
    std::fs::write(place.path("config.json"), text).unwrap();
    place.configure(&postgres("127.0.0.1:1"));
    let hours = ["config", "set", "ServiceSettings.SessionLengthWebInHours", "5"];
    let (_, said) = good(&place, &hours).await;
    assert!(said.contains("ServiceSettings.SessionLengthMobileInHours"), "{said}");
    let stored: serde_json::Value = serde_json::from_str(&read(&place.path("config.json"))).unwrap();
    let service = &stored["ServiceSettings"];
    assert_eq!((&service["SessionLengthWebInHours"], &service["SessionLengthMobileInDays"]), (&5.into(), &7.into()));
    assert_eq!(service.get("SessionLengthMobileInHours"), None);
    assert_eq!(stored["TeamSettings"]["SiteName"], "Mattermost", "a default that is known is stored");
}

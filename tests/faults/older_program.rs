//! A database whose schema a later version of the program has changed.

use quarterdeck::server::Server;
use quarterdeck::settings::Sources;

use crate::support::configuration::LocalServer;
use crate::support::process::Workplace;

/// The row of a migration that only a later version of the program knows.
pub(super) const LATER: &str =
    "INSERT INTO qd_migrations (version, name, applied_on, checksum) VALUES (9000, 'later', '', '')";
/// The version that the schema needs then.
pub(super) const NEEDED: &str = "UPDATE systems SET value = '999.0.0' WHERE name = 'QuarterdeckSchemaVersion'";

#[actix_web::test]
async fn an_older_program_is_refused_with_the_version_that_the_database_needs() {
    let LocalServer { server, .. } = &LocalServer::start().await;
    for sql in [LATER, NEEDED] {
        server.execute(sql).await;
    }
    let keys = ["audit.key", "files/audit.key"].map(|name| server.folder().join(name));
    for key in &keys {
        let _ = std::fs::remove_file(key);
    }
    let sources = Sources::isolated(Some(server.folder().join("config.toml")), Vec::new());
    let refused = Server::start(sources.load().unwrap(), sources).await.map(drop).unwrap_err().to_string();
    for part in ["V9000__later", "needs version 999.0.0 or later", "nothing was changed"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert!(!keys.iter().any(|key| key.exists()), "something was written");
}

#[actix_web::test]
async fn every_command_is_refused_by_a_database_of_a_later_version() {
    let Some(()) = crate::support::database::only_embedded("the file of the embedded engine is changed here") else {
        return;
    };
    let place = Workplace::new("").await;
    let server = place.serve().await;
    server.stop().await;
    let file = rusqlite::Connection::open(place.path("test.db")).unwrap();
    file.execute_batch(&format!("{LATER}; {NEEDED}")).unwrap();
    drop(file);
    let create = ["user", "create", "--email", "a@chat.example", "--username", "a"];
    let set = ["config", "set", "TeamSettings.SiteName", "one"];
    let before = std::fs::read(place.path("test.db")).unwrap();
    for arguments in [&["serve"][..], &["check"], &create, &set, &["audit", "prune", "--days", "1"]] {
        let ended = place.run(arguments, "correct-horse-1").await;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("needs version 999.0.0 or later"), "{arguments:?}: {said}");
    }
    assert!(std::fs::read(place.path("test.db")).unwrap() == before, "something was written");
}

//! The progress of an import is shown on a terminal, and nowhere else.

use std::process::Stdio;

use tokio::process::Command;

use crate::support::backup::{QUIET, on_sqlite};
use crate::support::database;
use crate::support::mattermost::MattermostDatabase;
use crate::support::peers;
use crate::support::process::Workplace;

/// Removes the line of the progress.
const CLEAR: &str = "\r\u{1b}[K";

#[actix_web::test]
async fn progress_is_shown_on_a_terminal_and_absent_in_a_pipe() {
    let Some(base) = database::only_postgres("a Mattermost is on PostgreSQL") else { return };
    let source = MattermostDatabase::inhabited(&base).await;
    let place = Workplace::new(QUIET).await;
    on_sqlite(&place, "test.db");
    let from = source.source();
    let arguments = ["import", "--from", &from, "--dry-run"];
    let piped = place.run(&arguments, "").await;
    assert!(piped.status.success() && piped.stderr.is_empty(), "{piped:?}");
    assert!(!String::from_utf8(piped.stdout).unwrap().contains('\u{1b}'));
    // `script` gives the program a terminal.
    let mut terminal = Command::new(peers::tool("script"));
    let line = format!("{} import --from '{from}' --dry-run", env!("CARGO_BIN_EXE_quarterdeck"));
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(place.path(""));
    let shown = terminal.stdin(Stdio::null()).output().await.unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    for part in ["users: 4", "systems: 4"] {
        assert!(shown.contains(&format!("{CLEAR}{part}")), "{part}: {shown}");
    }
    let (progress, report) = shown.rsplit_once(CLEAR).unwrap();
    assert!(report.starts_with("from Mattermost, schema 167") && report.contains("a dry run"), "{shown}");
    assert!(!progress.contains("a dry run"), "{shown}");
}

//! The official JavaScript client, `@mattermost/client`.

use std::path::Path;

use tokio::process::Command;

use crate::support::server::PASSWORD;
use crate::support::{Home, peers};

#[actix_web::test]
async fn the_javascript_client_manages_accounts() {
    play("accounts.mjs", "[ServiceSettings]\nEnableUserAccessTokens = true\n", "ended_session_is_refused").await;
}

#[actix_web::test]
async fn the_javascript_client_changes_the_configuration() {
    play("config.mjs", "", "pinned_settings_are_marked").await;
}

/// Runs a script against a server with these settings, up to its last step.
async fn play(script: &str, settings: &str, last: &str) {
    let Some(folder) = peers::folder("js") else { return };
    let server = Home::new(settings).await.start().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/js").join(script);
    // The client is found from the working folder.
    let mut node = Command::new("node");
    node.arg(script).args([&server.base, PASSWORD]).current_dir(folder);
    let steps = peers::play(&mut node).await;
    assert_eq!(steps.last().unwrap()["step"], last);
}

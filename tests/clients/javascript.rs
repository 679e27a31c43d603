//! The official JavaScript client, `@mattermost/client`.

use std::path::Path;

use tokio::process::Command;

use crate::support::server::PASSWORD;
use crate::support::{Home, peers};

#[actix_web::test]
async fn the_javascript_client_manages_accounts() {
    let Some(folder) = peers::folder("js") else { return };
    let server = Home::new("[ServiceSettings]\nEnableUserAccessTokens = true\n").await;
    let server = server.start().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/js/accounts.mjs");
    // The client is found from the working folder.
    let mut node = Command::new("node");
    node.arg(script).args([&server.base, PASSWORD]).current_dir(folder);
    let steps = peers::play(&mut node).await;
    assert_eq!(steps.last().unwrap()["step"], "ended_session_is_refused");
}

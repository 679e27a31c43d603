//! Schemathesis, which generates requests from the API's description and checks the responses against it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{TestServer, database, needs};

const TIMEOUT: Duration = Duration::from_mins(8);

/// Settings with which every operation has an effect, and no generated setting can block the others.
const SETTINGS: &str = "[ServiceSettings]\nEnableUserAccessTokens = true\nEnableDeveloper = true\nEnableTesting = true\n\
    [RateLimitSettings]\nEnable = false\n";

/// Operations that end the session of all requests, or change its permissions.
const LEFT_OUT: [&str; 13] = [
    "Logout",
    "DeleteUser",
    "UpdateUserActive",
    "UpdateUserRoles",
    "UpdateUserPassword",
    "RevokeAllSessions",
    "RevokeSession",
    "RevokeSessionsFromAllUsers",
    "RollBackConfig",
    // Each request creates an account, and the number of accounts is limited; the response is a page.
    "ManualTest",
    // These are only served on the local socket.
    "CheckIntegrity",
    "MigrateConfig",
    "PermanentDeleteAllUsers",
];

#[actix_web::test]
async fn made_up_requests_are_answered_as_the_document_says() {
    let Some(()) = database::only_embedded("what is held against the document does not depend on the engine") else {
        return;
    };
    let Some(folder) = needs::peer("schemathesis") else { return };
    let log = tempfile::tempdir().unwrap();
    std::fs::write(log.path().join("mattermost.log"), "{\"level\":\"info\"}\n").unwrap();
    let settings = format!("{SETTINGS}[LogSettings]\nFileLocation = \"{}\"\n", log.path().display());
    let server = TestServer::start_with(&settings).await;
    let admin = server.admin().await;
    admin.post("/teams", json!({ "name": "crew", "display_name": "Crew", "type": "O" })).await.expect(201);
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/schemathesis/schemathesis.toml");
    let mut command = Command::new(folder.join("bin/schemathesis"));
    command.arg("--config-file").arg(here).arg("run").arg(format!("{}/api/v4/openapi.json", server.base));
    command.arg("--header").arg(format!("Authorization: Bearer {}", admin.token.as_deref().unwrap()));
    command.args(["--phases", "examples,coverage,fuzzing", "--max-examples", "8", "--seed", "1", "--warnings", "off"]);
    command.args(["--generation-database", "none", "--no-color", "--request-timeout", "60"]);
    for id in LEFT_OUT {
        command.args(["--exclude-operation-id", id]);
    }
    command.current_dir(server.folder()).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(TIMEOUT, command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    admin.get("/users/me").await.expect(200);
}

//! The Python driver, `mattermostdriver`.

use std::path::Path;

use tokio::process::Command;

use crate::support::server::{PASSWORD, account};
use crate::support::teams::meeting;
use crate::support::{Home, needs, peers};

#[actix_web::test]
async fn the_python_driver_logs_in_and_out() {
    let Some(folder) = needs::peer("python") else { return };
    let home = Home::new("").await;
    let server = home.start().await;
    server.client().post("/users", account("anna")).await.expect(201);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/python/accounts.py");
    let mut python = Command::new(folder.join("bin/python"));
    python.arg(script).args([&server.base, "anna", PASSWORD]);
    let steps = peers::play(&mut python).await;
    assert_eq!(steps.last().unwrap()["step"], "ended_session_is_refused");
}

#[actix_web::test]
async fn the_python_driver_listens_to_events() {
    let Some(folder) = needs::peer("python") else { return };
    let home = Home::new("[Quarterdeck]\nSocketPingSeconds = 1\nSocketSilenceSeconds = 3\n").await;
    let server = home.start().await;
    let (channel_id, ..) = meeting(&server.client(), home.folder()).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/python/websocket.py");
    let mut python = Command::new(folder.join("bin/python"));
    python.arg(script).args([&server.base, &channel_id, PASSWORD]);
    let steps = peers::play(&mut python).await;
    assert_eq!(steps.last().unwrap()["step"], "disconnected");
}

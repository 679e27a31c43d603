//! Clients from other projects, installed by `tests/run` under `target/peers/`.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_mins(2);

/// Returns the name of a required program. Fails if it is not on the path.
pub fn tool(name: &str) -> &str {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&path).any(|folder| folder.join(name).exists());
    assert!(is_there, "{name} is missing: tests/run installs it, see the packages there");
    name
}

/// Runs a scenario, which prints one JSON object for each step. Returns these objects.
pub async fn play(command: &mut Command) -> Vec<Value> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let played = timeout(TIMEOUT, command.output()).await.unwrap().unwrap();
    let (output, errors) = (String::from_utf8(played.stdout).unwrap(), String::from_utf8_lossy(&played.stderr));
    assert!(played.status.success(), "{errors}\nafter these steps:\n{output}");
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs a scenario that requests help: for each line with `ask`, the scenario waits for the line that `help` returns.
pub async fn converse(command: &mut Command, help: impl AsyncFnMut(&str) -> String) -> Vec<Value> {
    timeout(TIMEOUT, talk(command, help)).await.unwrap()
}

async fn talk(command: &mut Command, mut help: impl AsyncFnMut(&str) -> String) -> Vec<Value> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let (mut input, mut errors) = (child.stdin.take().unwrap(), child.stderr.take().unwrap());
    let complaints = actix_web::rt::spawn(async move {
        let mut text = String::new();
        errors.read_to_string(&mut text).await.unwrap();
        text
    });
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut steps = Vec::new();
    while let Some(line) = output.next_line().await.unwrap() {
        let said: Value = serde_json::from_str(&line).unwrap();
        match said["ask"].as_str() {
            Some(ask) => input.write_all(format!("{}\n", help(ask).await).as_bytes()).await.unwrap(),
            None => steps.push(said),
        }
    }
    let status = child.wait().await.unwrap();
    assert!(status.success(), "{}\nafter these steps:\n{steps:?}", complaints.await.unwrap());
    steps
}

//! Whether a program runs here at all, and is the one that it should be.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use semver::Version;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

/// How long it may take to tell its version.
const DEADLINE: Duration = Duration::from_secs(10);

/// So much of what it says is read, in bytes.
const LONGEST_ANSWER: u64 = 4096;

/// Runs the program with nothing but `--version`; fails unless it tells this one.
pub(super) async fn run(program: &Path, version: &Version) -> Result<(), String> {
    let asking = timeout(DEADLINE, ask(program)).await;
    let told = asking.map_err(|_| format!("the new program did not tell its version within {DEADLINE:?}"))?;
    let told = told.map_err(|cause| format!("the new program does not run here: {cause}"))?;
    let is_it = told.trim_end() == format!("quarterdeck {version}");
    is_it.then_some(()).ok_or_else(|| {
        let told: String = told.chars().take(80).collect();
        format!("the new program should be quarterdeck {version}, and calls itself {:?}", told.trim_end())
    })
}

/// What it says. It sees nothing of this server's environment, and is ended when nobody waits any more.
async fn ask(program: &Path) -> std::io::Result<String> {
    let mut command = Command::new(program);
    command.arg("--version").env_clear().current_dir("/").kill_on_drop(true);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut told = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(LONGEST_ANSWER).read_to_end(&mut told).await?;
    }
    let status = child.wait().await?;
    if !status.success() {
        return Err(std::io::Error::other(format!("it ended with {status}")));
    }
    Ok(String::from_utf8_lossy(&told).into_owned())
}

//! Checks that a new program runs on this machine, and has the expected version.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use semver::Version;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

/// The timeout of the new program for printing its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest output that is read, in bytes.
const MAX_OUTPUT_BYTES: u64 = 4096;

/// Runs the program with `--version`. Fails unless it prints the expected version.
pub(super) async fn run(program: &Path, version: &Version) -> Result<(), String> {
    let asking = timeout(VERSION_TIMEOUT, ask(program)).await;
    let told = asking.map_err(|_| format!("the new program did not print its version within {VERSION_TIMEOUT:?}"))?;
    let told = told.map_err(|cause| format!("the new program does not run here: {cause}"))?;
    let is_it = told.trim_end() == format!("quarterdeck {version}");
    is_it.then_some(()).ok_or_else(|| {
        let told: String = told.chars().take(80).collect();
        format!("the new program printed the version {:?} instead of quarterdeck {version}", told.trim_end())
    })
}

/// Returns the output of the program. It gets an empty environment, and is killed when this future is dropped.
async fn ask(program: &Path) -> std::io::Result<String> {
    let mut command = Command::new(program);
    command.arg("--version").env_clear().current_dir("/").kill_on_drop(true);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut told = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(MAX_OUTPUT_BYTES).read_to_end(&mut told).await?;
    }
    let status = child.wait().await?;
    if !status.success() {
        return Err(std::io::Error::other(format!("it ended with {status}")));
    }
    Ok(String::from_utf8_lossy(&told).into_owned())
}

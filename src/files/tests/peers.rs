//! Real stores by others, which `tests/run` installs in `target/peers/`. Each runs as long as this process.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use quarterdeck_actors::storage::settings::StoreSettings;
use serde::Deserialize;
use serde_json::json;

use super::support::settings;
use crate::files::needs;

/// The account of the Azure store, and its key.
pub(super) const ACCOUNT: &str = "quarterdeck";
pub(super) const KEY: &str = "Y2FuYXJ5LXNlY3JldC1rZXktb2YtdGhlLWFjY291bnQ=";

/// A store with the API of S3: its port, and the keys of its users.
#[derive(Debug, Deserialize)]
pub(super) struct S3 {
    port: u16,
    keys: BTreeMap<String, (String, String)>,
}

impl S3 {
    /// Returns the running store, or `None` in a run without it.
    pub(super) fn running() -> Option<&'static Self> {
        static RUNNING: OnceLock<Option<S3>> = OnceLock::new();
        RUNNING.get_or_init(Self::start).as_ref()
    }

    fn start() -> Option<Self> {
        let folder = needs::peer("s3")?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/s3/serve.py");
        let line = started(Command::new(folder.join("bin/python")).arg(script), "keys");
        Some(serde_json::from_str(&line).unwrap())
    }

    /// Returns the settings of a user of the bucket.
    pub(super) fn settings_of(&self, user: &str) -> StoreSettings {
        let (id, secret) = &self.keys[user];
        settings(json!({
            "DriverName": "amazons3",
            "AmazonS3AccessKeyId": id,
            "AmazonS3SecretAccessKey": secret,
            "AmazonS3Bucket": "files",
            "AmazonS3Endpoint": format!("127.0.0.1:{}", self.port),
            "AmazonS3SSL": false,
        }))
    }
}

/// Returns the address of the store with the API of Azure Blob Storage, or `None` in a run without it.
pub(super) fn azure() -> Option<&'static str> {
    static RUNNING: OnceLock<Option<String>> = OnceLock::new();
    RUNNING.get_or_init(start_azure).as_deref()
}

fn start_azure() -> Option<String> {
    let program = needs::peer("azure")?.join("node_modules/.bin/azurite-blob");
    // The shell kills the store when its standard input closes, which happens when this process ends.
    let script =
        r#""$0" --blobPort 0 --inMemoryPersistence --silent --disableTelemetry --skipApiVersionCheck & cat; kill $!"#;
    let accounts = format!("{ACCOUNT}:{KEY}");
    let line =
        started(Command::new("sh").arg("-c").arg(script).arg(program).env("AZURITE_ACCOUNTS", accounts), "listens");
    Some(line.split_once("://").unwrap().1.trim().to_owned())
}

/// Starts a program that runs until this process ends. Returns the first line of its output that contains `word`.
fn started(command: &mut Command, word: &str) -> String {
    let mut child: Child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains(word)).expect("it starts");
    // A thread reads all further output, so that the program never blocks; its standard input stays open.
    std::mem::forget(child.stdin.take());
    std::thread::spawn(move || {
        lines.for_each(drop);
        child.wait()
    });
    line
}

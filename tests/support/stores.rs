//! Stores from other projects, installed by `tests/run` under `target/peers/`. Each runs as long as this process.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::needs;

const ACCOUNT: &str = "quarterdeck";
const KEY: &str = "Y2FuYXJ5LXNlY3JldC1rZXktb2YtdGhlLWFjY291bnQ=";

/// Returns settings that use a bucket of an S3 server as the store, with the key of a user who has all permissions;
/// `None` in a run without the server.
pub fn s3() -> Option<Value> {
    static LINE: OnceLock<Option<String>> = OnceLock::new();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/s3/serve.py");
    let start = || Some(started(Command::new(needs::peer("s3")?.join("bin/python")).arg(script), "keys"));
    let peer: Value = serde_json::from_str(LINE.get_or_init(start).as_ref()?).unwrap();
    let owner = &peer["keys"]["owner"];
    Some(json!({
        "DriverName": "amazons3",
        "AmazonS3Endpoint": format!("127.0.0.1:{}", peer["port"]),
        "AmazonS3SSL": false,
        "AmazonS3Bucket": "files",
        "AmazonS3AccessKeyId": owner[0],
        "AmazonS3SecretAccessKey": owner[1],
    }))
}

/// Returns settings that use an account of Azure Blob Storage. Its container does not exist.
pub fn azure() -> Option<Value> {
    static LINE: OnceLock<Option<String>> = OnceLock::new();
    let script =
        r#""$0" --blobPort 0 --inMemoryPersistence --silent --disableTelemetry --skipApiVersionCheck & cat; kill $!"#;
    let start = || {
        let program = needs::peer("azure")?.join("node_modules/.bin/azurite-blob");
        let accounts = format!("{ACCOUNT}:{KEY}");
        let mut command = Command::new("sh");
        Some(started(command.arg("-c").arg(script).arg(program).env("AZURITE_ACCOUNTS", accounts), "listens"))
    };
    let line = LINE.get_or_init(start).as_ref()?;
    Some(json!({
        "DriverName": "azureblob",
        "AzureCloud": "custom",
        "AzureEndpoint": line.split_once("://").unwrap().1.trim(),
        "AzureSSL": false,
        "AzureStorageAccount": ACCOUNT,
        "AzureContainer": "absent",
        "AzureAccessKey": KEY,
    }))
}

/// Returns the first line of a program's output that contains a word. The program ends when its input does, which is at
/// the end of this process.
fn started(command: &mut Command, word: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains(word)).unwrap();
    std::mem::forget(child.stdin.take());
    std::thread::spawn(move || {
        lines.for_each(drop);
        child.wait()
    });
    line
}

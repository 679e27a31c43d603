//! A mail server that a test starts, with its certificates.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::configuration::put_at;
use super::needs;

const TIMEOUT: Duration = Duration::from_mins(1);

/// The user name and the password that the mail server accepts.
pub const USERNAME: &str = "courier";
pub const PASSWORD: &str = "canary-of-the-courier";

/// A running mail server. It ends with the test.
pub struct MailServer {
    pub port: u16,
    said: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl MailServer {
    /// Starts a mail server that behaves as `wish` says; `None` in a run without it.
    pub async fn start(wish: Value) -> Option<Self> {
        let folder = needs::peer("smtp")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/smtp.py");
        let mut command = Command::new(folder.join("bin/python"));
        command.arg(script).arg(wish.to_string()).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self { port: 0, said, _child: child };
        server.port = u16::try_from(server.next("listening").await["port"].as_u64().unwrap()).unwrap();
        Some(server)
    }

    /// Returns the next event of that name and skips others.
    pub async fn next(&mut self, event: &str) -> Value {
        loop {
            let line = timeout(TIMEOUT, self.said.next_line()).await.unwrap().unwrap().unwrap();
            let said: Value = serde_json::from_str(&line).unwrap();
            if said["event"] == event {
                return said;
            }
        }
    }

    /// Changes the settings in `config` to use this server.
    pub fn name_in(&self, config: &mut Value, security: &str) {
        put_at(config, "EmailSettings.SMTPServer", "127.0.0.1");
        put_at(config, "EmailSettings.SMTPPort", self.port.to_string());
        put_at(config, "EmailSettings.ConnectionSecurity", security);
    }
}

/// A self-signed certificate for 127.0.0.1.
pub struct Certificate {
    folder: TempDir,
}

impl Certificate {
    pub fn valid() -> Self {
        Self::until(date_time_ymd(2200, 1, 1))
    }

    pub fn expired() -> Self {
        Self::until(date_time_ymd(2021, 1, 1))
    }

    fn until(end: time::OffsetDateTime) -> Self {
        let mut wish = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        (wish.not_before, wish.not_after) = (date_time_ymd(2020, 1, 1), end);
        let key = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let certificate = wish.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
        Self { folder }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// Returns the `wish` for a mail server with this certificate.
    pub fn shown(&self, security: &str) -> Value {
        json!({ "security": security, "certificate": self.path(), "key": self.folder.path().join("key.pem") })
    }
}

//! A server for each test. In a project of your own this stands beside its tests, below the client that is tested.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A server that ends when this value is dropped, and with the process of the tests.
pub struct Server {
    /// What the server printed: `url`, `admin`, `token` and more.
    pub facts: Value,
    child: Child,
}

impl Server {
    pub fn start(options: &[&str]) -> Self {
        let program = std::env::var_os("QUARTERDECK").unwrap_or_else(|| "quarterdeck".into());
        let mut command = Command::new(program);
        // The server ends with its input, which this value holds.
        command.args(["serve", "--ephemeral", "--until-stdin-ends"]).args(options);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        Self { facts: serde_json::from_str(&line).expect("a server that started"), child }
    }

    /// Returns the token of the administrator's session.
    pub fn token(&self) -> &str {
        self.facts["token"].as_str().expect("a token")
    }

    /// Returns the host and the port.
    pub fn address(&self) -> &str {
        self.facts["url"].as_str().and_then(|url| url.strip_prefix("http://")).expect("an address")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("an end");
        assert!(status.success() || std::thread::panicking(), "{status}");
    }
}

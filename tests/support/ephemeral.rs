//! `quarterdeck serve --ephemeral` as a client's tests start it.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::waiting::within;
use super::{Client, pool};

/// A folder in which servers are started, with a folder for temporary files below it.
pub struct Ground {
    folder: TempDir,
}

/// A server that printed its line. It is killed with its value.
pub struct Ephemeral {
    pub facts: Value,
    pub child: Child,
    output: BufReader<ChildStdout>,
}

impl Ground {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the folders that servers made for themselves.
    pub fn made(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path("tmp")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Returns the command `program`, with the environment that a server gets and its standard error in a file.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MM_")) {
            command.env_remove(name);
        }
        command.env("TMPDIR", self.path("tmp")).current_dir(self.folder.path()).kill_on_drop(true);
        let errors = std::fs::OpenOptions::new().create(true).append(true).open(self.path("stderr")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        command
    }

    /// Returns the command that starts a server with further arguments.
    pub fn serve(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_quarterdeck"));
        command.args(["serve", "--ephemeral"]).args(arguments);
        command
    }

    /// Returns what the servers wrote to standard error.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }

    /// Starts a server and waits for its line.
    pub async fn start(&self, arguments: &[&str]) -> Ephemeral {
        self.run(&mut self.serve(arguments)).await
    }

    /// Runs a command that starts a server with the same standard output, and waits for its line.
    pub async fn run(&self, command: &mut Command) -> Ephemeral {
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        within("the server prints its line", output.read_line(&mut line)).await.unwrap();
        let facts = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}: {}", self.errors()));
        Ephemeral { facts, child, output }
    }
}

impl Ephemeral {
    pub fn text(&self, pointer: &str) -> String {
        self.facts.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}")).to_owned()
    }

    /// Returns a client without a session.
    pub fn client(&self) -> Client {
        Client::new(&self.text("/url"))
    }

    /// Returns a client with the administrator's session.
    pub fn admin(&self) -> Client {
        self.client().with_token(&self.text("/token"))
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.facts["pid"].as_i64().unwrap()).unwrap()).unwrap()
    }

    /// Waits until the process ends. Returns its status, and what it printed after its line.
    pub async fn ended(&mut self) -> (ExitStatus, String) {
        pool::close_idle(&self.text("/url"));
        let status = within("the server ends", self.child.wait()).await.unwrap();
        let mut rest = String::new();
        within("the output ends", self.output.read_to_string(&mut rest)).await.unwrap();
        (status, rest)
    }

    /// Stops the server with SIGTERM. Fails unless it ends well and printed nothing more.
    pub async fn stop(mut self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        let (status, rest) = self.ended().await;
        assert_eq!((status.code(), rest.as_str()), (Some(0), ""));
    }
}

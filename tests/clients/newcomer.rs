//! Runs the commands of the README and compares their output with the README.
//!
//! Cloning and building are left out: the folder contains the tested program. The server runs in a separate terminal
//! and is ended with Ctrl-C. `…` in the README matches any text.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::support::database;

const README: &str = include_str!("../../README.md");
const SETTINGS: &str = include_str!("../../config.toml");

/// The address in the README, which the test replaces by a free one.
const ADDRESS: &str = "127.0.0.1:8065";

/// The command that builds and runs the server.
const RUN: &str = "cargo run --release";

const TIMEOUT: Duration = Duration::from_mins(1);

/// A command with its expected output.
struct Step {
    command: String,
    printed: Vec<String>,
}

fn steps() -> Vec<Step> {
    let section = README.split("\n## ").find(|section| section.starts_with("Start it")).unwrap();
    let mut steps: Vec<Step> = Vec::new();
    for block in section.split("```console\n").skip(1) {
        for line in block.split("\n```").next().unwrap().lines() {
            match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: command.to_owned(), printed: Vec::new() }),
                None => steps.last_mut().unwrap().printed.push(line.to_owned()),
            }
        }
    }
    steps
}

/// Returns true if a line matches the README.
fn is_as_shown(line: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[test]
fn dots_stand_for_anything() {
    assert!(is_as_shown("made anna (x1) now", "made anna (…) now"));
    assert!(is_as_shown("a-b-c", "…-b-…"));
    assert!(!is_as_shown("made anna (x1)", "made anna (…) now"));
    assert!(!is_as_shown("made anna", "made ann"));
}

/// Prepares a clone with the built program, which listens on another address.
fn prepare(folder: &Path, address: &str) {
    let clone = folder.join("quarterdeck");
    std::fs::create_dir_all(clone.join("target/release")).unwrap();
    symlink(env!("CARGO_BIN_EXE_quarterdeck"), clone.join("target/release/quarterdeck")).unwrap();
    std::fs::write(clone.join("config.toml"), SETTINGS.replace(ADDRESS, address)).unwrap();
    let git = folder.join("done/git");
    std::fs::create_dir_all(git.parent().unwrap()).unwrap();
    std::fs::write(&git, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The server in its terminal.
struct Server {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new("target/release/quarterdeck");
        command.current_dir(folder.join("quarterdeck")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, output }
    }

    async fn printed(&mut self, count: usize) -> Vec<String> {
        let mut printed = Vec::new();
        while printed.len() < count {
            printed.push(timeout(TIMEOUT, self.output.next_line()).await.unwrap().unwrap().unwrap());
        }
        printed
    }

    /// Ends it with Ctrl-C.
    async fn end(mut self) -> ExitStatus {
        let id = Pid::from_raw(self.child.id().unwrap().cast_signed()).unwrap();
        kill_process(id, Signal::INT).unwrap();
        timeout(TIMEOUT, self.child.wait()).await.unwrap().unwrap()
    }
}

struct Shell {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Shell {
    /// Runs a command until it has ended, or is in the background, and has printed `count` lines.
    async fn run(&mut self, command: &str, count: usize) -> Vec<String> {
        const END: &str = "-- the command has ended";
        self.input.write_all(format!("{command}\necho '{END}'\n").as_bytes()).await.unwrap();
        let (mut printed, mut has_ended) = (Vec::new(), false);
        while !has_ended || printed.len() < count {
            let line = timeout(TIMEOUT, self.output.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("{command} printed no more than {printed:#?}")).unwrap().unwrap();
            if line == END { has_ended = true } else { printed.push(line) }
        }
        printed
    }
}

#[actix_web::test]
async fn the_first_steps_of_the_readme_lead_where_it_says() {
    let Some(()) = database::only_embedded("the README begins with the embedded engine") else { return };
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    prepare(folder.path(), &address);
    let path = format!("{}:{}", folder.path().join("done").display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.arg("--norc").current_dir(folder.path()).env("PATH", path).env("no_proxy", "*");
    bash.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut bash = bash.spawn().unwrap();
    let output = BufReader::new(bash.stdout.take().unwrap()).lines();
    let mut shell = Shell { input: bash.stdin.take().unwrap(), output };
    // No process is left running, for any end of the test.
    shell.run("exec 2>&1; trap 'kill $(jobs -p) 2>/dev/null' EXIT", 0).await;
    let steps = steps();
    assert!(steps.len() > 6, "the README shows too little");
    let mut server = None;
    for step in steps {
        let command = step.command.replace(ADDRESS, &address);
        let printed = if command == RUN {
            server.insert(Server::start(folder.path())).printed(step.printed.len()).await
        } else {
            shell.run(&command, step.printed.len()).await
        };
        let shown: Vec<String> = step.printed.iter().map(|line| line.replace(ADDRESS, &address)).collect();
        let is_same = printed.len() == shown.len();
        let is_so = is_same && printed.iter().zip(&shown).all(|(line, shown)| is_as_shown(line, shown));
        assert!(is_so, "{command}\nprinted {printed:#?}\nand the README shows {shown:#?}");
        if command.contains("-o events") {
            // A person types more slowly than a socket opens.
            shell.run("until grep -qa hello events; do sleep 0.05; done", 0).await;
        }
    }
    assert!(server.unwrap().end().await.success());
    drop(shell);
    assert!(timeout(TIMEOUT, bash.wait()).await.unwrap().unwrap().success());
}

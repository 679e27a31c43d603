//! Server processes that a run starts and ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

type Failure = Box<dyn std::error::Error>;

/// A server process of this run. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    /// `host:port`.
    pub(crate) address: String,
    /// Kept open, because a server may end when its output is closed.
    _output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts the server to measure, with a new embedded database in `folder`.
    pub(crate) fn server(program: &Path, folder: &Path) -> Result<Self, Failure> {
        Self::server_with(program, folder, &[])
    }

    /// Starts the server with more environment variables, which may name another database.
    pub(crate) fn server_with(program: &Path, folder: &Path, variables: &[(&str, &str)]) -> Result<Self, Failure> {
        let program = program.canonicalize()?;
        let mut server = Command::new(program);
        server.current_dir(folder).env("MM_SERVICESETTINGS_LISTENADDRESS", "127.0.0.1:0");
        // No measurement waits for a server elsewhere.
        server.env("MM_ANNOUNCEMENTSETTINGS_NOTICESURL", "");
        server.envs(variables.iter().copied());
        // All sockets of a load test belong to one account.
        Self::start(server.env("MM_QUARTERDECK_MAXIMUMSOCKETSPERUSER", "100000"))
    }

    /// Starts an ephemeral server, which makes and removes its own folder.
    pub(crate) fn ephemeral(program: &Path, folder: &Path) -> Result<Self, Failure> {
        let program = program.canonicalize()?;
        let mut server = Command::new(program);
        // A server that is killed does not remove its folder, so it makes it below this one.
        server.current_dir(folder).env("TMPDIR", folder).args(["serve", "--ephemeral"]).stdin(Stdio::null());
        Self::start_and(&mut server, |line| {
            let greeting: serde_json::Value = serde_json::from_str(line).ok()?;
            greeting.get("url")?.as_str()?.strip_prefix("http://").map(str::to_owned)
        })
    }

    /// Starts the bare handler, which returns the response in `file` at `path`.
    pub(crate) fn bare(path: &str, file: &Path) -> Result<Self, Failure> {
        let bench = std::env::current_exe()?;
        Self::start(Command::new(bench).arg("bare").arg("--path").arg(path).arg("--answer").arg(file))
    }

    /// Starts the bare server, which greets sockets and broadcasts the texts that it is given.
    pub(crate) fn bare_broadcast() -> Result<Self, Failure> {
        let bench = std::env::current_exe()?;
        Self::start(Command::new(bench).arg("bare-broadcast"))
    }

    /// Starts a command and waits for the line with its address.
    fn start(command: &mut Command) -> Result<Self, Failure> {
        Self::start_and(command, |line| line.split_once("listens on http://").map(|(_, address)| address.to_owned()))
    }

    /// Starts a command and waits for the line in which `address_in` finds its address.
    fn start_and(command: &mut Command, address_in: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        while output.read_line(&mut line)? > 0 {
            if let Some(address) = address_in(&line) {
                return Ok(Self { child, address: address.trim().to_owned(), _output: output });
            }
            line.clear();
        }
        let _ = child.kill();
        Err("the server ended before it listened".into())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Servers that are started here and end here.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

type Failure = Box<dyn std::error::Error>;

/// A server of this run.
pub(crate) struct Process {
    child: Child,
    /// `host:port`.
    pub(crate) address: String,
    /// Kept open: a server whose output nobody takes might end.
    _output: BufReader<ChildStdout>,
}

impl Process {
    /// The server to measure, with a fresh embedded database in `folder`.
    pub(crate) fn server(program: &Path, folder: &Path) -> Result<Self, Failure> {
        Self::server_with(program, folder, &[])
    }

    /// The same with more variables; one may name another database.
    pub(crate) fn server_with(program: &Path, folder: &Path, variables: &[(&str, &str)]) -> Result<Self, Failure> {
        let program = program.canonicalize()?;
        let mut server = Command::new(program);
        server.current_dir(folder).env("MM_SERVICESETTINGS_LISTENADDRESS", "127.0.0.1:0");
        // Nothing that is measured waits for a server elsewhere.
        server.env("MM_ANNOUNCEMENTSETTINGS_NOTICESURL", "");
        server.envs(variables.iter().copied());
        // All sockets of a load test belong to one account.
        Self::start(server.env("MM_QUARTERDECK_MAXIMUMSOCKETSPERUSER", "100000"))
    }

    /// The bare handler, with the answer that `file` holds at `path`.
    pub(crate) fn bare(path: &str, file: &Path) -> Result<Self, Failure> {
        let bench = std::env::current_exe()?;
        Self::start(Command::new(bench).arg("bare").arg("--path").arg(path).arg("--answer").arg(file))
    }

    /// The bare server that greets sockets and sends them what it is told to.
    pub(crate) fn bare_broadcast() -> Result<Self, Failure> {
        let bench = std::env::current_exe()?;
        Self::start(Command::new(bench).arg("bare-broadcast"))
    }

    /// Starts it and waits for the line that names its address.
    fn start(command: &mut Command) -> Result<Self, Failure> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        while output.read_line(&mut line)? > 0 {
            if let Some((_, address)) = line.split_once("listens on http://") {
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

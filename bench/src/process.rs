//! Server processes that a run starts and ends.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

type Failure = Box<dyn std::error::Error>;

/// A server process of this run. It ends when this is dropped.
pub(crate) struct Process {
    child: Running,
    /// `host:port`.
    pub(crate) address: String,
    /// Kept open, because a server may end when its output is closed.
    _output: BufReader<ChildStdout>,
}

/// A child process, which is killed when this is dropped, with its group if it has one of its own.
struct Running {
    child: Child,
    /// True if it is the first process of a group, which ends with it.
    has_group: bool,
}

impl Process {
    /// Starts the server to measure, with a new embedded database in `folder`.
    pub(crate) fn server(program: &Path, folder: &Path) -> Result<Self, Failure> {
        Self::server_with(program, folder, &[])
    }

    /// Starts the server with more environment variables, which may name another database.
    pub(crate) fn server_with(program: &Path, folder: &Path, variables: &[(&str, &str)]) -> Result<Self, Failure> {
        Self::start(&mut command(program, folder, variables)?)
    }

    /// Starts the server in a process group of its own, which Ctrl-C at a terminal does not end. The caller must catch
    /// that signal and end the server. If this is dropped before it is ready, it ends the server.
    pub(crate) async fn server_apart(
        program: &Path,
        folder: &Path,
        variables: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        Self::start_apart(&mut command(program, folder, variables)?).await
    }

    /// Starts an ephemeral server, which makes and removes its own folder.
    pub(crate) fn ephemeral(program: &Path, folder: &Path) -> Result<Self, Failure> {
        let mut server = without_settings(program)?;
        // A server that is killed does not remove its folder, so it makes it below this one.
        server.current_dir(folder).env("TMPDIR", folder).args(["serve", "--ephemeral"]).stdin(Stdio::null());
        Self::start_and(&mut server, |line| {
            let greeting: serde_json::Value = serde_json::from_str(line).ok()?;
            greeting.get("url")?.as_str()?.strip_prefix("http://").map(str::to_owned)
        })
    }

    /// Starts the bare handler, which returns the response in `file` at `path`.
    pub(crate) fn bare(path: &str, file: &Path) -> Result<Self, Failure> {
        Self::start(&mut bare(path, file)?)
    }

    /// Starts the bare handler in a process group of its own, like `server_apart`.
    pub(crate) async fn bare_apart(path: &str, file: &Path) -> Result<Self, Failure> {
        Self::start_apart(&mut bare(path, file)?).await
    }

    /// Starts the bare server, which greets sockets and broadcasts the texts that it is given.
    pub(crate) fn bare_broadcast() -> Result<Self, Failure> {
        let bench = std::env::current_exe()?;
        Self::start(Command::new(bench).arg("bare-broadcast"))
    }

    /// Starts a command and waits for the line with its address.
    fn start(command: &mut Command) -> Result<Self, Failure> {
        Self::start_and(command, listener)
    }

    async fn start_apart(command: &mut Command) -> Result<Self, Failure> {
        let (mut child, output) = Self::spawn(command.process_group(0))?;
        child.has_group = true;
        // A thread of its own, which ends: one of the runtime would keep the cores of the servers and read figures later. The
        // end of the process ends its output, and so the thread.
        let (sender, found) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || sender.send(address_of(output, listener)));
        let found = found.await??;
        let (address, output) = found.ok_or(ENDED)?;
        Ok(Self { child, address, _output: output })
    }

    /// Starts a command and waits for the line in which `address_in` finds its address.
    fn start_and(command: &mut Command, address_in: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let (child, output) = Self::spawn(command)?;
        let (address, output) = address_of(output, address_in)?.ok_or(ENDED)?;
        Ok(Self { child, address, _output: output })
    }

    fn spawn(command: &mut Command) -> Result<(Running, BufReader<ChildStdout>), Failure> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = child.stdout.take();
        let child = Running { child, has_group: false };
        Ok((child, BufReader::new(output.ok_or("no output")?)))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.child.id()
    }

    /// Returns true if other processes are in the group of this one: it is a script that started the server, say, so its
    /// figures are not those of the server.
    pub(crate) fn has_others_in_group(&self) -> bool {
        let group = self.pid();
        let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| *pid != group).any(|pid| group_of(pid) == Some(group))
    }
}

/// Returns the process group of a process.
fn group_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

/// The error of a process that ended before it had an address.
const ENDED: &str = "the server ended before it listened";

/// Returns the address in a line of a server that listens.
fn listener(line: &str) -> Option<String> {
    line.split_once("listens on http://").map(|(_, address)| address.to_owned())
}

/// Reads lines until one has an address. Returns `None` if the output ends first.
fn address_of(
    mut output: BufReader<ChildStdout>,
    address_in: impl Fn(&str) -> Option<String>,
) -> std::io::Result<Option<(String, BufReader<ChildStdout>)>> {
    let mut line = String::new();
    while output.read_line(&mut line)? > 0 {
        if let Some(address) = address_in(&line) {
            return Ok(Some((address.trim().to_owned(), output)));
        }
        line.clear();
    }
    Ok(None)
}

/// Returns the command of a server with an embedded database in `folder`, unless the variables name another one.
fn command(program: &Path, folder: &Path, variables: &[(&str, &str)]) -> Result<Command, Failure> {
    let mut server = without_settings(program)?;
    server.current_dir(folder).env("MM_SERVICESETTINGS_LISTENADDRESS", "127.0.0.1:0");
    // No measurement waits for a server elsewhere.
    server.env("MM_ANNOUNCEMENTSETTINGS_NOTICESURL", "");
    server.envs(variables.iter().copied());
    // All sockets of a load test belong to one account.
    server.env("MM_QUARTERDECK_MAXIMUMSOCKETSPERUSER", "100000");
    Ok(server)
}

/// Returns the command of a server that does not inherit the settings in the environment of this process. They may be
/// those of a production server and name its database.
fn without_settings(program: &Path) -> Result<Command, Failure> {
    let mut server = Command::new(program.canonicalize()?);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
        server.env_remove(name);
    }
    Ok(server)
}

/// Returns true if a server reads a setting from the variable.
fn is_setting(name: &OsStr) -> bool {
    name.as_encoded_bytes().get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"MM_"))
}

fn bare(path: &str, file: &Path) -> Result<Command, Failure> {
    let mut bare = Command::new(std::env::current_exe()?);
    bare.arg("bare").arg("--path").arg(path).arg("--answer").arg(file);
    Ok(bare)
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.has_group {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_start_that_is_given_up_ends_the_process() {
        let mut hanging = Command::new("sleep");
        let start = Process::start_apart(hanging.arg("86399"));
        assert!(tokio::time::timeout(std::time::Duration::from_millis(50), start).await.is_err());
        let is_left = |entry: std::io::Result<std::fs::DirEntry>| {
            let words = entry.and_then(|entry| std::fs::read(entry.path().join("cmdline"))).unwrap_or_default();
            words == b"sleep\086399\0"
        };
        assert!(!std::fs::read_dir("/proc").unwrap().any(is_left));
        let ended = Process::start_apart(Command::new("true").arg("x")).await.err().unwrap();
        assert_eq!(ended.to_string(), ENDED);
    }

    #[test]
    fn a_server_does_not_inherit_the_settings_of_another_one() {
        for setting in ["MM_SQLSETTINGS_DATASOURCE", "MM_CONFIG", "mm_sqlsettings_drivername"] {
            assert!(is_setting(OsStr::new(setting)), "{setting}");
        }
        for other in ["PATH", "MM", "HOME_MM_", ""] {
            assert!(!is_setting(OsStr::new(other)), "{other}");
        }
    }
}

//! A separate PostgreSQL with TLS for a test. Its certificate is for `db.test`, from an authority of the test.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::needs;

/// PostgreSQL refuses to run as root. This user exists everywhere.
pub(super) const NOBODY: u32 = 65_534;

/// The number of attempts to start: another process may take a free port before the server does.
const ATTEMPTS: usize = 5;

/// A running PostgreSQL. It ends with the test.
pub struct TlsPostgres {
    folder: TempDir,
    pub port: u16,
    server: Child,
}

impl TlsPostgres {
    /// Starts a PostgreSQL with TLS; `None` in a run without PostgreSQL.
    pub fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("quarterdeck-tls").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        certify(folder.path());
        give(folder.path());
        let data = folder.path().join("data");
        let made = command(&programs.join("initdb"))
            .args(["-U", "qd", "-A", "trust", "-E", "UTF8", "--no-sync", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        // Over the network only TLS is allowed, so that the tests detect a connection without TLS.
        let rules = "local all all trust\nhostssl all guest 127.0.0.1/32 cert\nhostssl all all 127.0.0.1/32 trust\n";
        std::fs::write(data.join("pg_hba.conf"), rules).unwrap();
        let (port, server) = (0..ATTEMPTS).find_map(|_| run(&programs, folder.path())).unwrap();
        Some(Self { folder, port, server })
    }

    /// Returns the path of a file for this server: `root.crt`, `other.crt`, `client.crt`, `client.key`.
    pub fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Returns its Unix socket, as a data source.
    pub fn socket(&self) -> String {
        format!("host={} port={} user=qd dbname=postgres", self.folder.path().display(), self.port)
    }
}

impl Drop for TlsPostgres {
    fn drop(&mut self) {
        // Shuts it down immediately, with all of its processes.
        let id = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        let _ = id.map(|id| kill_process(id, Signal::QUIT));
        let _ = self.server.wait();
    }
}

/// Returns the folder with the programs of PostgreSQL; `None` in a run without it.
pub(super) fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let folders = versions.map(|version| version.unwrap().path().join("bin"));
    let newest = folders.filter(|folder| folder.join("initdb").exists()).max();
    needs::present("postgres", || newest.is_some(), "tests/run installs it, on Debian from the package postgresql")?;
    newest
}

fn run(programs: &Path, folder: &Path) -> Option<(u16, Child)> {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = command(&programs.join("postgres"));
    server.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1".to_owned(),
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", folder.join("server.crt").display()),
        format!("ssl_key_file={}", folder.join("server.key").display()),
        format!("ssl_ca_file={}", folder.join("root.crt").display()),
        "fsync=off".to_owned(),
        "max_connections=20".to_owned(),
    ] {
        server.args(["-c", &setting]);
    }
    let mut server = server.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(server.stderr.take().unwrap()).lines();
    let is_ready = said.by_ref().map_while(Result::ok).any(|line| line.contains("ready to accept connections"));
    // Reads further output, so that the pipe does not fill up.
    std::thread::spawn(move || said.for_each(drop));
    if is_ready {
        return Some((port, server));
    }
    server.wait().unwrap();
    None
}

pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env_clear().env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null());
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Creates an authority that signs the server's certificate, and another one that signs none.
fn certify(folder: &Path) {
    let authority = authority();
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    };
    write("root.crt", authority.pem());
    write("other.crt", self::authority().pem());
    for (file, name) in [("server", "db.test"), ("client", "guest")] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        write(&format!("{file}.crt"), params.signed_by(&key, &authority).unwrap().pem());
        write(&format!("{file}.key"), key.serialize_pem());
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "made up");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Gives the server's files to its user, because the server reads only its own files. The client's files stay with the
/// test.
fn give(folder: &Path) {
    if geteuid().is_root() {
        for path in ["", "server.crt", "server.key"] {
            chown(folder.join(path), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        std::fs::set_permissions(folder.join("root.crt"), PermissionsExt::from_mode(0o644)).unwrap();
    }
}

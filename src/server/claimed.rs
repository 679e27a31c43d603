//! The addresses of the listeners, bound before the start changes anything: a start on a port that is taken leaves nothing
//! behind. A bound socket does not listen yet, so clients are refused until the server is ready.

use std::fmt;
use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use quarterdeck_actors::config::Config;
use socket2::{Domain, Socket, Type};

use super::listeners::{ADDRESS, METRICS_ADDRESS, targets};

/// The number of connections that the kernel queues until the server accepts them.
const BACKLOG: i32 = 2048;

/// The time in which a program on this machine accepts a connection.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// The reason why an address cannot be bound.
#[derive(Debug)]
struct Unbound {
    text: String,
    /// True if a running server or another program uses it, which may be the server of this installation.
    is_taken: bool,
    /// The addresses that the process may not bind. The kernel refuses them without a look at other programs.
    denied: Vec<SocketAddr>,
}

impl Unbound {
    /// Returns true if another program uses the address.
    fn is_in_use(&self) -> bool {
        let answers = |address: &SocketAddr| TcpStream::connect_timeout(address, ANSWER_TIMEOUT).is_ok();
        self.is_taken || self.denied.iter().any(answers)
    }
}

impl fmt::Display for Unbound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Bound sockets, each with the address in the settings.
#[derive(Debug, Default)]
pub(super) struct Claimed(Vec<(String, Socket)>);

impl Claimed {
    /// Binds the addresses of a configuration. Refuses the local socket of another server.
    pub(super) fn of(config: &Config) -> Result<Self, String> {
        if let Some(path) = local_socket(config) {
            refuse_used(path)?;
        }
        let bound = |(setting, address): (&str, &String)| {
            bound(setting, address).map(|socket| (address.clone(), socket)).map_err(|refusal| refusal.text)
        };
        wanted(config).map(bound).collect::<Result<_, _>>().map(Self)
    }

    /// Begins to listen on the address of a setting. Binds it now if the settings changed since the others were bound.
    pub(super) fn listen(&mut self, setting: &str, address: &str) -> Result<TcpListener, String> {
        let socket = match self.0.iter().position(|(claimed, _)| claimed == address) {
            Some(place) => self.0.swap_remove(place).1,
            None => bound(setting, address).map_err(|refusal| refusal.text)?,
        };
        socket.listen(BACKLOG).map_err(|cause| format!("{setting} {address:?}: {cause}"))?;
        Ok(socket.into())
    }
}

/// The addresses of a configuration that cannot be bound now.
#[derive(Debug, Default)]
pub(crate) struct Unavailable {
    /// The texts about addresses that a program uses, which may be the running server of the installation.
    pub(crate) taken: Vec<String>,
    /// The texts about the other ones, with which no start is possible.
    pub(crate) impossible: Vec<String>,
}

/// Binds all addresses of a configuration and releases them at once, as a check does. A check beside the running server of
/// the installation must pass, although a start is refused then.
pub(crate) fn unavailable(config: &Config) -> Unavailable {
    let taken = local_socket(config).and_then(|path| refuse_used(path).err()).into_iter().collect();
    let mut found = Unavailable { taken, impossible: Vec::new() };
    for refusal in wanted(config).filter_map(|(setting, address)| bound(setting, address).err()) {
        let texts = if refusal.is_in_use() { &mut found.taken } else { &mut found.impossible };
        texts.push(refusal.text);
    }
    found
}

/// Returns the settings and the addresses of the TCP listeners.
fn wanted(config: &Config) -> impl Iterator<Item = (&'static str, &String)> {
    let (service, metrics) = (&config.view.service, &config.view.metrics);
    let of_metrics = metrics.enable.then_some((METRICS_ADDRESS, &metrics.listen_address));
    [(ADDRESS, &service.listen_address)].into_iter().chain(of_metrics)
}

fn local_socket(config: &Config) -> Option<&Path> {
    let service = &config.view.service;
    service.enable_local_mode.then(|| Path::new(&service.local_mode_socket_location))
}

/// Refuses the path of a local socket on which another server listens.
pub(super) fn refuse_used(path: &Path) -> Result<(), String> {
    let is_used = UnixStream::connect(path).is_ok();
    if is_used { Err(format!("{}: another server listens on this socket", path.display())) } else { Ok(()) }
}

/// Binds the address of a setting. `:8065` means all addresses, IPv6 and IPv4 where the machine has both.
fn bound(setting: &str, address: &str) -> Result<Socket, Unbound> {
    let (mut problem, mut denied) = (Error::other("it resolves to no address"), Vec::new());
    let targets = targets(setting, address).map_err(|text| Unbound { text, is_taken: false, denied: Vec::new() })?;
    for target in targets {
        match bind(target) {
            Ok(socket) => return Ok(socket),
            Err(cause) => {
                denied.extend((cause.kind() == ErrorKind::PermissionDenied).then_some(target));
                problem = cause;
            }
        }
    }
    let is_taken = problem.kind() == ErrorKind::AddrInUse;
    Err(Unbound { text: format!("{setting} {address:?}: {problem}"), is_taken, denied })
}

fn bind(target: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if target.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&target.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_address_listens_once_it_is_taken_and_a_used_one_is_refused() {
        let socket = bound(ADDRESS, "127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut claimed = Claimed(vec![(address.clone(), socket)]);
        assert!(std::net::TcpStream::connect(&address).is_err(), "a client connects before the server is ready");
        let listener = claimed.listen(ADDRESS, &address).unwrap();
        std::net::TcpStream::connect(&address).unwrap();
        let refused = bound(ADDRESS, &address).unwrap_err();
        assert!(refused.is_taken, "{refused}");
        let refused = refused.to_string();
        assert!(refused.contains("ServiceSettings.ListenAddress") && refused.contains(&address), "{refused}");
        drop(listener);
        assert!(claimed.0.is_empty());
    }

    fn config(address: &str, of_metrics: &str) -> Config {
        let values = [
            ("ServiceSettings.ListenAddress", address.into()),
            ("MetricsSettings.Enable", true.into()),
            ("MetricsSettings.ListenAddress", of_metrics.into()),
        ];
        Config::from_overrides(values.map(|(path, value)| (path.to_owned(), value))).unwrap()
    }

    #[test]
    fn a_check_releases_the_addresses_and_tells_each_one_that_is_in_use_or_impossible() {
        let free = bound(ADDRESS, "127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().as_socket().unwrap().to_string();
        drop(free);
        for _ in 0..2 {
            let found = unavailable(&config(&address, "127.0.0.1:0"));
            assert!(found.taken.is_empty() && found.impossible.is_empty(), "{found:?}");
        }
        let listener = TcpListener::bind(&address).unwrap();
        // An address of the documentation, which no machine has. The address after it is looked at all the same.
        let found = unavailable(&config("192.0.2.1:8065", &address));
        assert!(found.taken.len() == 1 && found.taken[0].contains("Address already in use"), "{found:?}");
        assert!(found.impossible.len() == 1 && found.impossible[0].contains("192.0.2.1:8065"), "{found:?}");
        drop(listener);
    }

    #[test]
    fn an_address_that_may_not_be_bound_is_in_use_if_a_program_answers_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let denied = Unbound { text: String::new(), is_taken: false, denied: vec![address] };
        assert!(denied.is_in_use());
        drop(listener);
        assert!(!denied.is_in_use());
    }
}

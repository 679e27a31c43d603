//! The addresses of the listeners, bound before the start changes anything: a start on a port that is taken leaves nothing
//! behind. A bound socket does not listen yet, so clients are refused until the server is ready.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::Path;

use quarterdeck_actors::config::Config;
use socket2::{Domain, Socket, Type};

use super::listeners::{ADDRESS, METRICS_ADDRESS, targets};

/// The number of connections that the kernel queues until the server accepts them.
const BACKLOG: i32 = 2048;

/// Bound sockets, each with the address in the settings.
#[derive(Debug, Default)]
pub(super) struct Claimed(Vec<(String, Socket)>);

impl Claimed {
    /// Binds the addresses of a configuration. Refuses the local socket of another server.
    pub(super) fn of(config: &Config) -> Result<Self, String> {
        let (service, metrics) = (&config.view.service, &config.view.metrics);
        if service.enable_local_mode {
            refuse_used(Path::new(&service.local_mode_socket_location))?;
        }
        let wanted = [(ADDRESS, &service.listen_address)].into_iter();
        let wanted = wanted.chain(metrics.enable.then_some((METRICS_ADDRESS, &metrics.listen_address)));
        wanted
            .map(|(setting, address)| Ok((address.clone(), bound(setting, address)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Begins to listen on the address of a setting. Binds it now if the settings changed since the others were bound.
    pub(super) fn listen(&mut self, setting: &str, address: &str) -> Result<TcpListener, String> {
        let socket = match self.0.iter().position(|(claimed, _)| claimed == address) {
            Some(place) => self.0.swap_remove(place).1,
            None => bound(setting, address)?,
        };
        socket.listen(BACKLOG).map_err(|cause| format!("{setting} {address:?}: {cause}"))?;
        Ok(socket.into())
    }
}

/// Refuses the path of a local socket on which another server listens.
pub(super) fn refuse_used(path: &Path) -> Result<(), String> {
    let is_used = UnixStream::connect(path).is_ok();
    if is_used { Err(format!("{}: another server listens on this socket", path.display())) } else { Ok(()) }
}

/// Binds the address of a setting. `:8065` means all addresses, IPv6 and IPv4 where the machine has both.
fn bound(setting: &str, address: &str) -> Result<Socket, String> {
    let mut problem = std::io::Error::other("it resolves to no address");
    for target in targets(setting, address)? {
        match bind(target) {
            Ok(socket) => return Ok(socket),
            Err(cause) => problem = cause,
        }
    }
    Err(format!("{setting} {address:?}: {problem}"))
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
        assert!(refused.contains("ServiceSettings.ListenAddress") && refused.contains(&address), "{refused}");
        drop(listener);
        assert!(claimed.0.is_empty());
    }
}

//! Opens the listeners: TCP with or without TLS, and the local socket.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_server::{Server, ServerBuilder};
use actix_web::web::Data;
use quarterdeck_actors::config::listen_address::parts;
use quarterdeck_actors::config::view::{MetricsSettings, ServiceSettings};
use rustls::ServerConfig;
use socket2::SockAddr;

use super::certificate::Certificate;
use super::claimed::{Claimed, refuse_used};
use super::http::{ConnectionFactory, builder};
use crate::base::trust;
use crate::files::private;
use crate::web::routes::route::Origin;
use crate::web::routes::router::Router;
use crate::web::state::AppState;

/// The setting with the address of the API.
pub(super) const ADDRESS: &str = "ServiceSettings.ListenAddress";

/// The setting with the address of the metrics.
pub(super) const METRICS_ADDRESS: &str = "MetricsSettings.ListenAddress";

pub(super) struct Listening {
    pub(super) servers: Vec<Server>,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) socket: Option<PathBuf>,
    /// The certificate of the listener with TLS.
    pub(super) certificate: Option<Arc<Certificate>>,
}

/// Opens the listeners that the settings ask for, on the claimed addresses. The error names the setting or address that
/// failed.
pub(super) fn open(app: &Data<AppState>, router: &Data<Router>, claimed: &mut Claimed) -> Result<Listening, String> {
    let config = app.actors.config.current();
    let service = &config.view.service;
    let listener = claimed.listen(ADDRESS, &service.listen_address)?;
    let address = listener.local_addr().map_err(|cause| format!("{}: {cause}", service.listen_address))?;
    let certificate = certificate(service)?;
    let mut servers = vec![network(listener, service, certificate.as_ref(), app, router)?];
    let socket = if service.enable_local_mode {
        let path = PathBuf::from(&service.local_mode_socket_location);
        servers.push(local(&path, app, router)?);
        Some(path)
    } else {
        None
    };
    Ok(Listening { servers, addresses: vec![address], socket, certificate })
}

/// Refuses settings of TLS with which the listener cannot open.
pub(super) fn check_tls(service: &ServiceSettings) -> Result<(), String> {
    match service.connection_security.as_str() {
        "TLS" => tls(service, &Certificate::open(service)?).map(drop),
        _ => Ok(()),
    }
}

/// Refuses an address for the metrics at which their listener cannot open, because the API has it.
pub(super) fn check_metrics(service: &ServiceSettings, metrics: &MetricsSettings) -> Result<(), String> {
    let address = &metrics.listen_address;
    let wanted = targets(METRICS_ADDRESS, address)?;
    // A wrong address of the API is reported by its own step.
    let taken = targets(ADDRESS, &service.listen_address).unwrap_or_default();
    // The first address is the one that is bound; the second one replaces it on a machine without IPv6.
    match wanted.first().zip(taken.first()) {
        Some((wanted, taken)) if exclude_each_other(*wanted, *taken) => Err(format!(
            "MetricsSettings.ListenAddress {address:?}: ServiceSettings.ListenAddress is {:?}; the two need different ports",
            service.listen_address
        )),
        _ => Ok(()),
    }
}

/// Tells if only one of the two addresses can have a listener. Port 0 means any free port.
fn exclude_each_other(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |all: SocketAddr, single: SocketAddr| all.ip().is_unspecified() && (all.is_ipv6() || single.is_ipv4());
    one.port() == other.port()
        && one.port() != 0
        && (one.ip() == other.ip() || covers(one, other) || covers(other, one))
}

/// Refuses a path for the local socket at which a file of another kind is. A socket there may be that of a server that
/// runs, beside which a check passes.
pub(super) fn check_socket(path: &Path) -> Result<(), String> {
    if std::fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        return Err(format!("{}: the path exists and is not a socket", path.display()));
    }
    let refused = |cause: std::io::Error| format!("{}: {cause}", path.display());
    SockAddr::unix(path).map_err(refused)?;
    // The socket is made beside its place and renamed; the start makes folders that are missing.
    private::check_creatable(path)
        .map_err(|cause| format!("{}: no file can be made in its folder: {cause}", path.display()))
}

fn network(
    listener: TcpListener,
    service: &ServiceSettings,
    certificate: Option<&Arc<Certificate>>,
    app: &Data<AppState>,
    router: &Data<Router>,
) -> Result<Server, String> {
    let tls = certificate.map(|certificate| tls(service, certificate)).transpose()?;
    let factory = ConnectionFactory::new(app, router, Origin::Network, service, tls);
    let server = builder(app);
    let listening = server.listen("network", listener, move || factory.over_tcp());
    listening.map(ServerBuilder::run).map_err(|cause| format!("{}: {cause}", service.listen_address))
}

fn local(path: &Path, app: &Data<AppState>, router: &Data<Router>) -> Result<Server, String> {
    let config = app.actors.config.current();
    check_socket(path)?;
    refuse_used(path)?;
    let listener = bind_socket(path).map_err(|problem| format!("{}: {problem}", path.display()))?;
    let factory = ConnectionFactory::new(app, router, Origin::LocalSocket, &config.view.service, None);
    let server = builder(app).workers(1);
    let listening = server.listen_uds("local socket", listener, move || factory.over_socket());
    listening.map(ServerBuilder::run).map_err(|cause| format!("{}: {cause}", path.display()))
}

/// Returns the addresses that the address of a setting means; the first one that can be bound is used.
pub(super) fn targets(setting: &str, address: &str) -> Result<Vec<SocketAddr>, String> {
    const FORM: &str = "it must be an optional host, a colon and a port, such as :8065 or 127.0.0.1:8065";
    let (host, port) = parts(address).ok_or_else(|| format!("{setting} {address:?}: {FORM}"))?;
    if host.is_empty() {
        return Ok(vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]);
    }
    let found = (host, port).to_socket_addrs().map_err(|cause| format!("{setting} {address:?}: {cause}"))?;
    Ok(found.take(1).collect())
}

/// Binds the socket's path, and replaces the socket of a server that is gone. Its mode is 0600, which mmctl requires.
fn bind_socket(path: &Path) -> Result<UnixListener, String> {
    let explain = |cause: std::io::Error| cause.to_string();
    if let Some(folder) = path.parent() {
        private::folder(folder).map_err(explain)?;
    }
    // The socket has a temporary name until it listens, so that no client gets a refused connection.
    let hidden = path.with_extension(format!("{}.new", std::process::id()));
    let _ = std::fs::remove_file(&hidden);
    let listener = private::listen(&hidden).map_err(explain)?;
    std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o600)).map_err(explain)?;
    std::fs::rename(&hidden, path).map_err(explain)?;
    listener.set_nonblocking(true).map_err(explain)?;
    Ok(listener)
}

/// Opens the certificate if the listener has TLS, and watches for renewed ones.
fn certificate(service: &ServiceSettings) -> Result<Option<Arc<Certificate>>, String> {
    match service.connection_security.as_str() {
        "" => Ok(None),
        "TLS" => {
            let certificate = Certificate::open(service)?;
            certificate.watch();
            Ok(Some(certificate))
        }
        other => Err(format!("ServiceSettings.ConnectionSecurity is {other:?}; it must be \"\" or \"TLS\"")),
    }
}

fn tls(service: &ServiceSettings, certificate: &Arc<Certificate>) -> Result<ServerConfig, String> {
    let versions: &[&'static rustls::SupportedProtocolVersion] = match service.tls_min_ver.as_str() {
        "1.0" | "1.1" | "1.2" => &[&rustls::version::TLS12, &rustls::version::TLS13],
        "1.3" => &[&rustls::version::TLS13],
        other => {
            return Err(format!("ServiceSettings.TLSMinVer is {other:?}; it must be \"1.2\" or \"1.3\""));
        }
    };
    let provider = trust::provider();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|cause| cause.to_string())?;
    let mut config = config.with_no_client_auth().with_cert_resolver(certificate.clone());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_listeners_need_two_addresses() {
        let at = |address: &str| address.parse::<SocketAddr>().unwrap();
        for (one, other, exclude) in [
            ("127.0.0.1:8065", "127.0.0.1:8065", true),
            ("[::]:8065", "127.0.0.1:8065", true),
            ("[::1]:8065", "[::]:8065", true),
            ("0.0.0.0:8065", "127.0.0.1:8065", true),
            ("0.0.0.0:8065", "[::1]:8065", false),
            ("127.0.0.1:8065", "127.0.0.2:8065", false),
            ("127.0.0.1:8065", "127.0.0.1:8067", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            assert_eq!(exclude_each_other(at(one), at(other)), exclude, "{one} {other}");
            assert_eq!(exclude_each_other(at(other), at(one)), exclude, "{other} {one}");
        }
    }

    #[test]
    fn a_place_for_the_socket_needs_a_writable_folder_above_it_and_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in ["socket", "absent/too/socket"] {
            assert_eq!(check_socket(&folder.path().join(path)), Ok(()));
        }
        for (path, words) in [
            (file.clone(), "is not a socket"),
            (file.join("socket"), "no file can be made in its folder"),
            (folder.path().join("x".repeat(200)), "path must be shorter"),
        ] {
            let refused = check_socket(&path).unwrap_err();
            assert!(refused.contains(words) || words.starts_with("path must"), "{refused}");
        }
    }
}

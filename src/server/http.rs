//! Serves HTTP on the connections of this server: each one becomes a [`Stream`], which `actix-http` reads and writes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol, Request};
use actix_server::{Server, ServerBuilder};
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, apply_fn_factory, fn_service, map_config,
};
use actix_web::dev::AppConfig;
use actix_web::rt::net::{TcpStream, UnixStream};
use actix_web::web::{Data, get, to};
use actix_web::{App, Error};
use quarterdeck_actors::config::view::ServiceSettings;
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::metrics::show;
use super::stream::{Stream, Times, Transport};
use crate::web::connections::{Connections, Permit};
use crate::web::line;
use crate::web::pipeline::serve;
use crate::web::routes::route::Origin;
use crate::web::routes::router::Router;
use crate::web::state::AppState;

/// The number of unsent bytes that the kernel buffers for a connection; the rest of a response waits in this process.
const UNSENT_BYTES: u32 = 128 * 1024;

/// The path of the metrics on their own listener.
const METRICS: &str = "/metrics";

/// The time limit for a client's TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection in the form that `actix-http` takes.
type Accepted = (Stream, Protocol, Option<SocketAddr>);

/// The service that a listener offers.
#[derive(Clone)]
enum Served {
    Api(Data<Router>, Data<Origin>),
    Metrics,
}

/// Creates the service of each worker for the connections of one listener.
#[derive(Clone)]
pub(super) struct ConnectionFactory {
    app: Data<AppState>,
    served: Served,
    connections: Arc<Connections>,
    tls: Option<Arc<ServerConfig>>,
    times: Times,
    head_timeout: Duration,
    keep_alive: KeepAlive,
}

impl ConnectionFactory {
    pub(super) fn new(
        app: &Data<AppState>,
        router: &Data<Router>,
        origin: Origin,
        service: &ServiceSettings,
        tls: Option<ServerConfig>,
    ) -> Self {
        let served = Served::Api(router.clone(), Data::new(origin));
        Self { tls: tls.map(Arc::new), ..Self::to(app, served, app.limits.connections.clone(), service) }
    }

    /// Returns the service for metrics. It has connection limits of its own, so API clients never block a scrape.
    pub(super) fn to_metrics(app: &Data<AppState>, service: &ServiceSettings) -> Self {
        Self::to(app, Served::Metrics, Connections::of_metrics(), service)
    }

    fn to(app: &Data<AppState>, served: Served, connections: Arc<Connections>, service: &ServiceSettings) -> Self {
        let seconds = Duration::from_secs;
        let is_kept_alive = service.idle_timeout > 0;
        // `Stream` closes idle connections itself: its timeout starts at the end of the last response.
        let keep_alive = if is_kept_alive { KeepAlive::Os } else { KeepAlive::Disabled };
        let idle = if is_kept_alive { service.idle_timeout } else { service.read_timeout };
        Self {
            app: app.clone(),
            served,
            connections,
            tls: None,
            times: Times { idle: seconds(idle), write: seconds(service.write_timeout) },
            head_timeout: seconds(service.read_timeout),
            keep_alive,
        }
    }

    /// Returns the service for connections over TCP.
    pub(super) fn over_tcp(
        &self,
    ) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> + use<> {
        let factory = self.clone();
        fn_service(move |stream: TcpStream| {
            let factory = factory.clone();
            async move { factory.accept(stream).await.map_err(DispatchError::Io) }
        })
        .and_then(self.http())
    }

    async fn accept(&self, stream: TcpStream) -> io::Result<Accepted> {
        let peer = stream.peer_addr()?;
        let permit = self.admit(Some(peer.ip()))?;
        let socket = SockRef::from(&stream);
        // Ends the connection if the client's machine is gone and acknowledges nothing.
        let _ = socket.set_tcp_user_timeout(Some(self.times.write));
        // Without this limit, the kernel would buffer up to 4 MB for each client that reads nothing.
        let _ = socket.set_tcp_notsent_lowat(UNSENT_BYTES);
        let _ = socket.set_tcp_nodelay(true);
        let carrier = match &self.tls {
            None => Transport::Tcp(stream),
            Some(config) => {
                let shaken = timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(config.clone()).accept(stream)).await;
                Transport::Tls(Box::new(shaken.map_err(|_| io::ErrorKind::TimedOut)??))
            }
        };
        Ok((Stream::new(carrier, self.times, permit), Protocol::Http1, Some(peer)))
    }

    /// Admits a connection within the limits. Beyond them it is closed without a response, which would cost more.
    fn admit(&self, peer: Option<IpAddr>) -> io::Result<Permit> {
        self.connections.admit(peer).ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
    }

    fn http(
        &self,
    ) -> impl ServiceFactory<Accepted, Config = (), Response = (), Error = DispatchError, InitError = ()> + use<> {
        let app = App::new().app_data(self.app.clone());
        let app = match &self.served {
            Served::Api(router, origin) => {
                app.app_data(router.clone()).app_data(origin.clone()).default_service(to(serve))
            }
            // At the root the path of the site adds nothing, and the first of two equal routes serves all requests.
            Served::Metrics => {
                let below = self.app.facts.site_path.link(METRICS);
                app.route(METRICS, get().to(show)).route(&below, get().to(show))
            }
        };
        let app = IntoServiceFactory::<_, Request>::into_factory(app).map_err(|error: Error| error.error_response());
        let http = HttpService::build()
            .keep_alive(self.keep_alive)
            .client_request_timeout(self.head_timeout)
            // `Stream` closes connections itself, with a timeout of its own.
            .client_disconnect_timeout(Duration::ZERO)
            .on_connect_ext(|stream: &Stream, extensions| {
                line::note(stream, stream.exchange(), stream.is_tls(), extensions);
            })
            .finish(map_config(app, |()| AppConfig::default()));
        // A worker stops when its last connection is served, so a connection whose client hung up counts until its
        // change is done.
        apply_fn_factory(http, |(stream, protocol, peer): Accepted, http| {
            let (exchange, permit) = (stream.exchange(), stream.permit());
            let served = http.call((stream, protocol, peer));
            async move {
                let outcome = served.await;
                exchange.settled().await;
                drop(permit);
                outcome
            }
        })
    }

    /// Returns the service for connections to the local socket.
    pub(super) fn over_socket(
        &self,
    ) -> impl ServiceFactory<UnixStream, Config = (), Response = (), Error = DispatchError, InitError = ()> + use<>
    {
        let factory = self.clone();
        fn_service(move |stream: UnixStream| std::future::ready(Ok(factory.accept_local(stream)))).and_then(self.http())
    }

    fn accept_local(&self, stream: UnixStream) -> Accepted {
        let permit = self.connections.admit_local();
        (Stream::new(Transport::Unix(stream), self.times, permit), Protocol::Http1, None)
    }
}

/// Returns the builder of a server with one listener.
pub(super) fn builder(app: &AppState) -> ServerBuilder {
    Server::build()
        // `Connections` limits all workers together, so the limit of one worker must never be the lower one.
        .max_concurrent_connections(app.limits.connections.limit().saturating_mul(2))
        .shutdown_timeout(app.facts.options.stop_timeout.as_secs())
        .disable_signals()
}

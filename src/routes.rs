//! Which handler a request goes to. The rows stand in `table`.

mod ai_bridge;
mod analytics;
mod audits;
mod busy;
mod caches;
mod config;
mod database;
mod email;
mod files;
mod health;
mod images;
mod license;
mod links;
mod login;
mod logs;
mod manual_test;
mod metrics;
mod notices;
mod notifications;
mod onboarding;
mod openapi;
mod preferences;
mod releases;
mod roles;
mod sessions;
mod site_url;
mod status;
mod support_packet;
mod table;
mod teams;
mod tokens;
mod trials;
mod upgrade;
mod users;

use std::collections::HashMap;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use quarterdeck_actors::error::AppError;

use crate::answer::Reply;
use crate::base::percent::decoded;
use crate::pipeline::Origin;
use crate::request::Refused;
pub(crate) use health::short_ping;
use table::table;

/// What the refusal of a reading route is called that has no name of its own.
const READ: &str = "read";

/// Every event that a request can be, with its method and path, and whether it is recorded also when it is not refused.
pub(crate) fn audited() -> Vec<(&'static str, Method, &'static str, bool)> {
    table().into_iter().map(|route| (route.event, route.method, route.path, route.is_change)).collect()
}

/// What the description of the API needs of a route.
pub(crate) struct Row {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) class: Class,
    pub(crate) is_on_socket: bool,
    pub(crate) is_local: bool,
}

/// Every route.
pub(crate) fn rows() -> Vec<Row> {
    let row =
        |Route { method, path, class, is_on_socket, is_local, .. }| Row { method, path, class, is_on_socket, is_local };
    table().into_iter().map(row).collect()
}

/// Whether a route needs to know who is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Anybody; a session only adds to the answer.
    Open,
    /// Anybody, and nobody asks who: it answers also while sessions cannot be read.
    Anonymous,
    /// Somebody who is logged in.
    Session,
}

/// One row of the table.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing about the route, and a row names only what is so"
)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) class: Class,
    /// Served on the local socket.
    is_on_socket: bool,
    /// Served on the local socket and nowhere else.
    is_local: bool,
    /// Needs no proof that a page of ours sent the request.
    pub(crate) trusts_requester: bool,
    /// Takes bodies as large as a file.
    pub(crate) takes_files: bool,
    /// Refused while the server is busy.
    pub(crate) can_wait: bool,
    /// What the audit trail calls it.
    pub(crate) event: &'static str,
    /// Changes something, or gives something away: each request is recorded, not only those that are refused.
    pub(crate) is_change: bool,
    /// Ends sessions: served also where the audit trail has no room for its record.
    pub(crate) ends_sessions: bool,
    /// Asked all the time by machines, with no effect: logged for whoever looks for it, at the level TRACE.
    pub(crate) is_probe: bool,
    handler: BoxedHandler,
}

type BoxedHandler = Box<dyn Fn(HttpRequest, Payload) -> Answered + Send + Sync>;
type Answered = LocalBoxFuture<'static, Result<HttpResponse, AppError>>;

impl Route {
    /// Runs the handler.
    pub(crate) fn call(&self, http: HttpRequest, payload: Payload) -> Answered {
        (self.handler)(http, payload)
    }

    fn new<F, Args>(method: Method, path: &'static str, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        F::Output: Reply,
        Args: FromRequest + 'static,
    {
        Self {
            path,
            class: Class::Session,
            is_on_socket: false,
            is_local: false,
            trusts_requester: false,
            takes_files: false,
            can_wait: false,
            is_probe: false,
            ends_sessions: false,
            is_change: method != Method::GET,
            event: READ,
            method,
            handler: Box::new(move |http, payload| call(handler.clone(), http, payload).boxed_local()),
        }
    }

    fn open(self) -> Self {
        Self { class: Class::Open, ..self }
    }

    fn anonymous(self) -> Self {
        Self { class: Class::Anonymous, ..self }
    }

    fn on_socket(self) -> Self {
        Self { is_on_socket: true, ..self }
    }

    fn only_on_socket(self) -> Self {
        Self { is_on_socket: true, is_local: true, ..self }
    }

    fn trusting(self) -> Self {
        Self { trusts_requester: true, ..self }
    }

    fn taking_files(self) -> Self {
        Self { takes_files: true, ..self }
    }

    fn waiting(self) -> Self {
        Self { can_wait: true, ..self }
    }

    /// Names the event for the audit trail.
    fn audited(self, event: &'static str) -> Self {
        Self { event, ..self }
    }

    /// The same for a route that only reads, though its method is none for reading.
    fn reading(self, event: &'static str) -> Self {
        Self { event, is_change: false, ..self }
    }

    /// Records each request although it only reads: what it gives is meant to leave the house.
    fn always(self) -> Self {
        Self { is_change: true, ..self }
    }

    fn ending_sessions(self) -> Self {
        Self { ends_sessions: true, ..self }
    }

    fn probe(self) -> Self {
        Self { is_probe: true, ..self }
    }
}

async fn call<F, Args>(handler: F, http: HttpRequest, mut payload: Payload) -> Result<HttpResponse, AppError>
where
    F: Handler<Args>,
    F::Output: Reply,
    Args: FromRequest,
{
    let arguments = Args::from_request(&http, &mut payload).await;
    let arguments = arguments.map_err(|error| Refused::unwrap(&error.into()))?;
    handler.call(arguments).await.reply()
}

fn get<F, Args>(path: &'static str, handler: F) -> Route
where
    F: Handler<Args> + Send + Sync,
    F::Output: Reply,
    Args: FromRequest + 'static,
{
    Route::new(Method::GET, path, handler)
}

fn post<F, Args>(path: &'static str, handler: F) -> Route
where
    F: Handler<Args> + Send + Sync,
    F::Output: Reply,
    Args: FromRequest + 'static,
{
    Route::new(Method::POST, path, handler)
}

fn put<F, Args>(path: &'static str, handler: F) -> Route
where
    F: Handler<Args> + Send + Sync,
    F::Output: Reply,
    Args: FromRequest + 'static,
{
    Route::new(Method::PUT, path, handler)
}

fn delete<F, Args>(path: &'static str, handler: F) -> Route
where
    F: Handler<Args> + Send + Sync,
    F::Output: Reply,
    Args: FromRequest + 'static,
{
    Route::new(Method::DELETE, path, handler)
}

/// Finds the route of a request.
pub(crate) struct Router {
    paths: matchit::Router<HashMap<Method, Route>>,
}

impl Router {
    /// Builds it from the table. A path that contradicts another is a fault of the table, which a test finds.
    pub(crate) fn new() -> Result<Self, matchit::InsertError> {
        let mut by_path: HashMap<&'static str, HashMap<Method, Route>> = HashMap::new();
        for route in table() {
            by_path.entry(route.path).or_default().insert(route.method.clone(), route);
        }
        let mut paths = matchit::Router::new();
        for (path, methods) in by_path {
            paths.insert(path, methods)?;
        }
        Ok(Self { paths })
    }

    /// The route of that method and path. HEAD is answered as GET.
    pub(crate) fn find(&self, method: &Method, path: &str, origin: Origin) -> Option<Found<'_>> {
        let at = self.paths.at(path).ok()?;
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        let route = at.value.get(method)?;
        let is_served = match origin {
            Origin::Network => !route.is_local,
            Origin::LocalSocket => route.is_on_socket,
        };
        let params = at.params.iter().map(|(name, value)| (name.to_owned(), decoded(value))).collect();
        is_served.then_some(Found { route, params })
    }
}

/// The route of a request, with the parts of the path that it names, decoded.
pub(crate) struct Found<'a> {
    pub(crate) route: &'a Route,
    pub(crate) params: Vec<(String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_contradicts_itself_nowhere() {
        let router = Router::new().unwrap();
        let ping = router.find(&Method::HEAD, "/api/v4/system/ping", Origin::LocalSocket).unwrap();
        assert_eq!(ping.route.method, Method::GET);
    }

    #[test]
    fn every_row_stands_once() {
        let mut rows: Vec<(Method, &str)> = table().into_iter().map(|route| (route.method, route.path)).collect();
        let count = rows.len();
        rows.sort_by_key(|(method, path)| (method.to_string(), *path));
        rows.dedup();
        assert_eq!(rows.len(), count);
    }

    #[test]
    fn every_row_that_may_change_something_names_its_event() {
        for route in table().iter().filter(|route| route.method != Method::GET) {
            assert_ne!(route.event, READ, "{} {}", route.method, route.path);
        }
    }

    /// The pipeline reserves room for the record of a change only where the caller has a session.
    #[test]
    fn every_open_route_that_changes_something_is_known_to_reserve_room_in_its_handler() {
        let rows = table();
        let open = rows.iter().filter(|route| route.class != Class::Session && route.is_change);
        let events: Vec<&str> = open.map(|route| route.event).collect();
        // Logout ends sessions, which is served without room.
        assert_eq!(events, ["manualTest", "login", "logout", "createUser"], "a new one calls `Audit::reserve`");
    }

    #[test]
    fn another_method_and_a_trailing_slash_find_nothing() {
        let router = Router::new().unwrap();
        assert!(router.find(&Method::DELETE, "/api/v4/system/ping", Origin::Network).is_none());
        assert!(router.find(&Method::GET, "/api/v4/system/ping/", Origin::Network).is_none());
        assert!(router.find(&Method::GET, "/api/v4/system/timezones", Origin::LocalSocket).is_none());
    }
}

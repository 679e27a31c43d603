//! The route table: method, path, class, handler.

mod health;
mod login;
mod users;

use std::collections::HashMap;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use quarterdeck_actors::error::AppError;

use crate::answer::Reply;
use crate::pipeline::Origin;
use crate::request::Refused;

/// Every route. A path that stands here with another method is answered 404, as clients rely on.
fn table() -> Vec<Route> {
    vec![
        get("/", health::front_page).open().probe(),
        get("/livez", health::live).open().probe(),
        get("/readyz", health::ready).open().probe(),
        get("/startupz", health::started).open().probe(),
        get("/api/v4/system/ping", health::ping).open().probe().on_socket(),
        get("/api/v4/system/timezones", health::timezones),
        post("/api/v4/users/login", login::login).open(),
        post("/api/v4/users/logout", login::logout).open(),
        post("/api/v4/users", users::create).open().on_socket(),
        get("/api/v4/users/{user_id}", users::show).on_socket(),
        get("/api/v4/users", users::list::list).on_socket(),
        post("/api/v4/users/ids", users::list::with_ids).on_socket(),
        post("/api/v4/users/usernames", users::list::named),
        post("/api/v4/users/search", users::list::search),
        get("/api/v4/users/stats", users::list::stats),
        get("/api/v4/users/stats/filtered", users::list::filtered_stats),
        get("/api/v4/users/known", users::list::acquaintances),
        get("/api/v4/users/username/{username}", users::show_named).on_socket(),
        get("/api/v4/users/email/{email}", users::show_with_email).on_socket(),
        put("/api/v4/users/{user_id}", users::edit::replace).on_socket(),
        put("/api/v4/users/{user_id}/patch", users::edit::patch),
        put("/api/v4/users/{user_id}/password", users::password::replace).on_socket(),
        put("/api/v4/users/{user_id}/active", users::active::replace).on_socket(),
        put("/api/v4/users/{user_id}/roles", users::roles::replace).on_socket(),
        delete("/api/v4/users/{user_id}", users::active::remove).on_socket(),
        post("/api/v4/users/{user_id}/email/verify/member", users::verify_email).on_socket(),
        post("/api/v4/users/{user_id}/reset_failed_attempts", users::password::reset_failed_attempts),
    ]
}

/// Whether a route needs to know who is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Anybody; a session only adds to the answer.
    Open,
    /// Somebody who is logged in.
    Session,
}

/// One row of the table.
pub(crate) struct Route {
    method: Method,
    pub(crate) path: &'static str,
    pub(crate) class: Class,
    /// Served on the local socket as well.
    is_on_socket: bool,
    /// Needs no proof that a page of ours sent the request.
    pub(crate) trusts_requester: bool,
    /// Takes bodies as large as a file.
    pub(crate) takes_files: bool,
    /// Asked every few seconds by machines.
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
            method,
            path,
            class: Class::Session,
            is_on_socket: false,
            trusts_requester: false,
            takes_files: false,
            is_probe: false,
            handler: Box::new(move |http, payload| call(handler.clone(), http, payload).boxed_local()),
        }
    }

    fn open(self) -> Self {
        Self { class: Class::Open, ..self }
    }

    fn on_socket(self) -> Self {
        Self { is_on_socket: true, ..self }
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

    /// The route of that method and path, with the parts of the path that it names. HEAD is answered as GET.
    pub(crate) fn find(&self, method: &Method, path: &str, origin: Origin) -> Option<(&Route, Vec<(String, String)>)> {
        let found = self.paths.at(path).ok()?;
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        let route = found.value.get(method)?;
        let is_served = origin == Origin::Network || route.is_on_socket;
        let params = found.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        is_served.then_some((route, params))
    }
}

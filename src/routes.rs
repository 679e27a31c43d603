//! The route table: method, path, class, handler.

mod audits;
mod busy;
mod config;
mod email;
mod files;
mod health;
mod license;
mod login;
mod notifications;
mod onboarding;
mod preferences;
mod roles;
mod sessions;
mod site_url;
mod status;
mod teams;
mod tokens;
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
use crate::request::{Refused, decoded};
use crate::socket;
pub(crate) use health::short_ping;

/// Every route. A path that stands here with another method is answered 404, as clients rely on.
#[expect(clippy::too_many_lines, reason = "one row a route")]
fn table() -> Vec<Route> {
    vec![
        // For people and machines that watch.
        get("/", health::front_page).open().probe(),
        get("/livez", health::live).open().probe(),
        get("/readyz", health::ready).open().probe(),
        get("/startupz", health::started).open().probe(),
        // The system.
        get("/api/v4/system/ping", health::ping).open().probe().on_socket(),
        get("/api/v4/system/timezones", health::timezones),
        post("/api/v4/site_url/test", site_url::test).reading("testSiteURL"),
        post("/api/v4/notifications/ack", notifications::receipts::acknowledge).reading("notificationAck"),
        get("/api/v4/audits", audits::list).audited("getAudits"),
        get("/api/v4/audits/{audit_id}", audits::show).audited("getAudit"),
        post("/api/v4/server_busy", busy::mark).on_socket().audited("setServerBusy"),
        get("/api/v4/server_busy", busy::show).on_socket(),
        delete("/api/v4/server_busy", busy::clear).on_socket().audited("clearServerBusy"),
        post("/api/v4/email/test", email::test).audited("testEmail"),
        post("/api/v4/notifications/test", notifications::test).audited("testNotification"),
        get("/api/v4/system/onboarding/complete", onboarding::show).audited("getOnboarding"),
        post("/api/v4/system/onboarding/complete", onboarding::complete).audited("completeOnboarding"),
        get("/api/v4/websocket", socket::open).open().trusting(),
        get("/api/v4/websocket/", socket::open).open().trusting(),
        // What the server depends on.
        post("/api/v4/file/test", files::test).reading("testFileStoreConnection"),
        post("/api/v4/file/s3_test", files::test).reading("testS3Connection"),
        // Configuration and licence.
        get("/api/v4/config", config::document::show).on_socket().audited("getConfig"),
        put("/api/v4/config", config::document::replace).on_socket().audited("updateConfig"),
        put("/api/v4/config/patch", config::document::patch).on_socket().audited("patchConfig"),
        get("/api/v4/config/environment", config::document::show_pinned),
        get("/api/v4/config/provenance", config::origins::list).on_socket(),
        get("/api/v4/config/pending_restart", config::origins::list_pending).on_socket(),
        get("/api/v4/config/versions", config::versions::list).on_socket(),
        get("/api/v4/config/versions/{version_id}", config::versions::show).on_socket(),
        get("/api/v4/config/versions/{version_id}/difference/{other_id}", config::versions::compare).on_socket(),
        post("/api/v4/config/versions/{version_id}/rollback", config::versions::roll_back)
            .on_socket()
            .audited("rollbackConfig"),
        post("/api/v4/config/reload", config::reload).on_socket().audited("configReload"),
        post("/api/v4/config/migrate", config::migrate::migrate).only_on_socket().audited("migrateConfig"),
        get("/api/v4/config/client", config::show_to_clients).open().probe().on_socket(),
        post("/api/v4/license", license::install).taking_files().on_socket().audited("addLicense"),
        delete("/api/v4/license", license::remove).on_socket().audited("removeLicense"),
        get("/api/v4/license/client", license::show_to_clients).open().probe().on_socket(),
        get("/api/v4/license/load_metric", license::show_load),
        // In and out.
        post("/api/v4/users/login", login::login).open().audited("login"),
        post("/api/v4/users/logout", login::logout).open().audited("logout"),
        // Accounts.
        post("/api/v4/users", users::create).open().on_socket().audited("createUser"),
        get("/api/v4/users/{user_id}", users::show).on_socket(),
        get("/api/v4/users", users::list::list).on_socket(),
        post("/api/v4/users/ids", users::list::with_ids).on_socket().reading("getUsersByIds"),
        post("/api/v4/users/usernames", users::list::named).reading("getUsersByNames"),
        post("/api/v4/users/search", users::list::search).waiting().reading("searchUsers"),
        get("/api/v4/users/stats", users::list::stats),
        get("/api/v4/users/stats/filtered", users::list::filtered_stats),
        get("/api/v4/users/known", users::list::acquaintances),
        get("/api/v4/users/username/{username}", users::show_named).on_socket(),
        get("/api/v4/users/email/{email}", users::show_with_email).on_socket(),
        put("/api/v4/users/{user_id}", users::edit::replace).on_socket().audited("updateUser"),
        put("/api/v4/users/{user_id}/patch", users::edit::patch).audited("patchUser"),
        put("/api/v4/users/{user_id}/password", users::password::replace).on_socket().audited("updatePassword"),
        put("/api/v4/users/{user_id}/active", users::active::replace).on_socket().audited("updateUserActive"),
        put("/api/v4/users/{user_id}/roles", users::roles::replace).on_socket().audited("updateUserRoles"),
        delete("/api/v4/users/{user_id}", users::active::remove).on_socket().audited("deleteUser"),
        post("/api/v4/users/{user_id}/email/verify/member", users::verify_email)
            .on_socket()
            .audited("verifyUserEmailWithoutToken"),
        post("/api/v4/users/{user_id}/reset_failed_attempts", users::password::reset_failed_attempts)
            .audited("resetPasswordFailedAttempts"),
        // Sessions.
        get("/api/v4/users/{user_id}/sessions", sessions::list),
        post("/api/v4/users/{user_id}/sessions/revoke", sessions::revoke).audited("revokeSession"),
        post("/api/v4/users/{user_id}/sessions/revoke/all", sessions::revoke_all_of_user)
            .audited("revokeAllSessionsForUser"),
        post("/api/v4/users/sessions/revoke/all", sessions::revoke_all).audited("revokeAllSessionsAllUsers"),
        put("/api/v4/users/sessions/device", sessions::attach_device).audited("attachDeviceId"),
        // Personal access tokens.
        get("/api/v4/users/{user_id}/tokens", tokens::list_of_user).on_socket(),
        post("/api/v4/users/{user_id}/tokens", tokens::create).on_socket().audited("createUserAccessToken"),
        get("/api/v4/users/tokens", tokens::list),
        get("/api/v4/users/tokens/{token_id}", tokens::show),
        post("/api/v4/users/tokens/search", tokens::search).reading("searchUserAccessTokens"),
        post("/api/v4/users/tokens/revoke", tokens::revoke).on_socket().audited("revokeUserAccessToken"),
        post("/api/v4/users/tokens/disable", tokens::disable).audited("disableUserAccessToken"),
        post("/api/v4/users/tokens/enable", tokens::enable).audited("enableUserAccessToken"),
        // Who is there.
        get("/api/v4/users/{user_id}/status", status::show),
        put("/api/v4/users/{user_id}/status", status::save).audited("updateUserStatus"),
        post("/api/v4/users/status/ids", status::list).reading("getUserStatusesByIds"),
        // What people like to see how.
        get("/api/v4/users/{user_id}/preferences", preferences::list).on_socket(),
        put("/api/v4/users/{user_id}/preferences", preferences::save).on_socket().audited("updatePreferences"),
        post("/api/v4/users/{user_id}/preferences/delete", preferences::delete)
            .on_socket()
            .audited("deletePreferences"),
        get("/api/v4/users/{user_id}/preferences/{category}", preferences::list_category).on_socket(),
        get("/api/v4/users/{user_id}/preferences/{category}/name/{name}", preferences::show).on_socket(),
        // Teams.
        get("/api/v4/users/{user_id}/teams", teams::list_of_user),
        get("/api/v4/users/{user_id}/teams/members", teams::list_memberships),
        get("/api/v4/users/{user_id}/teams/unread", teams::list_unread),
        get("/api/v4/teams", teams::list).on_socket(),
        post("/api/v4/teams", teams::create).on_socket().audited("createTeam"),
        get("/api/v4/teams/{team_id}", teams::show).on_socket(),
        get("/api/v4/teams/name/{team_name}", teams::show_named).on_socket(),
        get("/api/v4/teams/name/{team_name}/exists", teams::exists),
        get("/api/v4/teams/{team_id}/members", teams::list_members),
        post("/api/v4/teams/{team_id}/members", teams::add_member).on_socket().audited("addTeamMember"),
        get("/api/v4/teams/{team_id}/members/{user_id}", teams::show_member),
        // Roles.
        get("/api/v4/roles", roles::list).on_socket(),
        get("/api/v4/roles/{role_id}", roles::show).on_socket().trusting(),
        get("/api/v4/roles/name/{role_name}", roles::show_named).on_socket().trusting(),
        post("/api/v4/roles/names", roles::list_named).on_socket().trusting().reading("getRolesByNames"),
    ]
}

/// What the refusal of a reading route is called that has no name of its own.
const READ: &str = "read";

/// Every event that a request can be, with its method and path, and whether it is recorded also when it is not refused.
pub(crate) fn audited() -> Vec<(&'static str, Method, &'static str, bool)> {
    table().into_iter().map(|route| (route.event, route.method, route.path, route.is_change)).collect()
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
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing about the route, and a row names only what is so"
)]
pub(crate) struct Route {
    method: Method,
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
    /// Changes something: each request is recorded, not only those that are refused.
    pub(crate) is_change: bool,
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
            is_change: method != Method::GET,
            event: READ,
            method,
            handler: Box::new(move |http, payload| call(handler.clone(), http, payload).boxed_local()),
        }
    }

    fn open(self) -> Self {
        Self { class: Class::Open, ..self }
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

    #[test]
    fn another_method_and_a_trailing_slash_find_nothing() {
        let router = Router::new().unwrap();
        assert!(router.find(&Method::DELETE, "/api/v4/system/ping", Origin::Network).is_none());
        assert!(router.find(&Method::GET, "/api/v4/system/ping/", Origin::Network).is_none());
        assert!(router.find(&Method::GET, "/api/v4/system/timezones", Origin::LocalSocket).is_none());
    }
}

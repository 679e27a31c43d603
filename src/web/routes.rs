//! The routes of the API. The rows are in `table`, one handler file for each noun.

mod absent;
mod account_pages;
mod ai_bridge;
mod analytics;
mod audits;
mod bots;
mod busy;
mod caches;
mod channels;
mod client_performance;
mod cluster;
mod config;
mod console;
mod custom_status;
mod database;
mod email;
mod files;
mod health;
mod images;
mod jobs;
mod license;
mod limits;
mod links;
mod login;
mod logs;
mod manual_test;
mod metrics;
mod notices;
mod notifications;
mod onboarding;
mod openapi;
pub(crate) mod operation;
mod permissions;
mod plugins;
mod preferences;
pub(crate) mod reauthentication;
mod releases;
mod reports;
mod restart;
mod roles;
pub(crate) mod route;
pub(crate) mod router;
mod schemes;
mod sessions;
mod site_url;
mod status;
mod support_packet;
mod table;
mod teams;
mod tokens;
mod trial_license;
mod typing;
mod upgrade;
mod users;

use crate::base::site_path::SitePath;
pub(crate) use caches::invalidate_caches;
pub(crate) use files::nodes::{STORE_TEST, answer as answer_with_test};
pub(crate) use logs::nodes::{LOG_LINES, answer as answer_with_lines};
pub(crate) use restart::nodes::{RESTART_SERVER, SERVER_READY, answer as answer_with_restart, answer_with_readiness};
pub(crate) use restart::rolling::finish as finish_restart;
use route::Route;
use router::Router;
use table::TABLE;
pub(crate) use upgrade::part::{UPGRADE_SERVER, answer as answer_with_upgrade};

/// Returns every route.
pub(crate) fn table() -> &'static [Route] {
    TABLE
}

/// Returns the router for the route table, for a site with this path.
pub(crate) fn router(site_path: SitePath) -> Result<Router, matchit::InsertError> {
    Router::of(TABLE, site_path)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use actix_web::http::Method;

    use super::route::{AuditEvent, Class, Csrf, OneTimeCodes, Origin, READ, Verb};
    use super::*;

    #[test]
    fn the_table_contradicts_itself_nowhere() {
        let router = router(SitePath::default()).unwrap();
        let ping = router.find(&Method::HEAD, "/api/v4/system/ping", Origin::LocalSocket).unwrap();
        assert_eq!(ping.route.verb, Verb::Get);
    }

    #[test]
    fn every_row_stands_once() {
        let mut rows = HashSet::new();
        for route in TABLE {
            assert!(rows.insert((route.verb, route.path)), "{} {}", route.verb, route.path);
        }
    }

    #[test]
    fn every_row_that_may_change_something_names_its_event() {
        for route in TABLE.iter().filter(|route| route.verb != Verb::Get) {
            assert_ne!(route.audit, READ, "{} {}", route.verb, route.path);
        }
    }

    /// The pipeline reserves space for the record of a change only if the caller has a session.
    #[test]
    fn every_open_route_that_changes_something_is_known_to_reserve_room_in_its_handler() {
        let open = TABLE.iter().filter(|route| route.class != Class::Session && route.audit.is_always());
        let events: Vec<&str> = open.map(|route| route.audit.name()).collect();
        // Logout ends sessions, so it is served without reserved space.
        let known = [
            "manualTest",
            "login",
            "logout",
            "createUser",
            "sendPasswordReset",
            "resetPassword",
            "sendVerificationEmail",
            "verifyUserEmail",
        ];
        assert_eq!(events, known, "a new one calls `Audit::reserve`");
    }

    #[test]
    fn only_routes_that_read_are_exempt_from_the_csrf_check_and_only_if_the_check_would_concern_them() {
        for route in TABLE.iter().filter(|route| route.csrf == Csrf::Exempt) {
            assert!(matches!(route.audit, AuditEvent::OnRefusal(_)), "{} changes something", route.path);
            assert_ne!(route.verb, Verb::Get, "the check does not concern {}", route.path);
        }
    }

    #[test]
    fn only_the_routes_that_set_one_time_codes_up_need_none() {
        let routes = TABLE.iter().filter(|route| route.one_time_codes == OneTimeCodes::NotForOwn);
        let rows: Vec<(Verb, &str)> = routes.map(|route| (route.verb, route.path)).collect();
        let expected = [
            (Verb::Get, "/api/v4/users/{user_id}"),
            (Verb::Put, "/api/v4/users/{user_id}/mfa"),
            (Verb::Post, "/api/v4/users/{user_id}/mfa/generate"),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn every_route_is_described_except_pages_and_other_spellings() {
        let routes = TABLE.iter().filter(|route| route.operation.description.is_none());
        let paths: Vec<&str> = routes.map(|route| route.path).collect();
        let pages = [
            "/",
            "/login",
            "/admin_console",
            "/admin_console/",
            "/admin_console/{page}",
            "/quarterdeck/console",
            "/quarterdeck/console/",
            "/quarterdeck/console/{page}",
            "/quarterdeck/assets/{file}",
            "/reset_password_complete",
            "/do_verify_email",
            "/signup_user_complete",
            "/account_page/{file}",
            "/api/v4/openapi",
            "/api/v4/openapi/{file}",
        ];
        let other_spellings = ["/api/v4/system/notices/view", "/api/v4/websocket/"];
        assert_eq!(paths, [pages.as_slice(), &other_spellings].concat());
    }

    #[test]
    fn a_listener_serves_only_its_routes() {
        let router = router(SitePath::default()).unwrap();
        let served = |method: &Method, path: &str| {
            [Origin::Network, Origin::LocalSocket].map(|origin| router.find(method, path, origin).is_some())
        };
        assert_eq!(served(&Method::GET, "/api/v4/config"), [true, true]);
        assert_eq!(served(&Method::GET, "/api/v4/system/timezones"), [true, false]);
        assert_eq!(served(&Method::POST, "/api/v4/integrity"), [false, true]);
    }

    #[test]
    fn another_method_and_a_trailing_slash_find_nothing() {
        let router = router(SitePath::default()).unwrap();
        let finds = |method: Method, path: &str| router.find(&method, path, Origin::Network).is_some();
        assert!(!finds(Method::DELETE, "/api/v4/system/ping"));
        assert!(!finds(Method::PATCH, "/api/v4/system/ping"));
        assert!(!finds(Method::GET, "/api/v4/system/ping/"));
    }
}

//! The routes of the API. The rows are in `table`, one handler file for each noun.

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
pub(crate) mod route;
pub(crate) mod router;
mod sessions;
mod site_url;
mod status;
mod support_packet;
mod table;
mod teams;
mod tokens;
mod trial_license;
mod upgrade;
mod users;

use actix_web::http::Method;

use router::Router;
use table::table;

/// Returns each audit event with its method and path, and true if the event is also recorded when the request succeeds.
pub(crate) fn audited() -> Vec<(&'static str, Method, &'static str, bool)> {
    table().into_iter().map(|route| (route.event, route.method, route.path, route.is_change)).collect()
}

/// Returns the router for the route table.
pub(crate) fn router() -> Result<Router, matchit::InsertError> {
    Router::of(table())
}

#[cfg(test)]
mod tests {
    use super::route::{Class, Origin, READ};
    use super::*;

    #[test]
    fn the_table_contradicts_itself_nowhere() {
        let router = router().unwrap();
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

    /// The pipeline reserves space for the record of a change only if the caller has a session.
    #[test]
    fn every_open_route_that_changes_something_is_known_to_reserve_room_in_its_handler() {
        let rows = table();
        let open = rows.iter().filter(|route| route.class != Class::Session && route.is_change);
        let events: Vec<&str> = open.map(|route| route.event).collect();
        // Logout ends sessions, so it is served without reserved space.
        assert_eq!(events, ["manualTest", "login", "logout", "createUser"], "a new one calls `Audit::reserve`");
    }

    #[test]
    fn another_method_and_a_trailing_slash_find_nothing() {
        let router = router().unwrap();
        assert!(router.find(&Method::DELETE, "/api/v4/system/ping", Origin::Network).is_none());
        assert!(router.find(&Method::GET, "/api/v4/system/ping/", Origin::Network).is_none());
        assert!(router.find(&Method::GET, "/api/v4/system/timezones", Origin::LocalSocket).is_none());
    }
}

//! Finds the route of a request.

use std::collections::HashMap;

use actix_web::http::Method;

use super::route::{Origin, Route, Verb};
use crate::base::percent::decoded;
use crate::base::site_path::SitePath;
use crate::web::path::FRONT_PATH;

/// The path of the ping.
pub(crate) const PING_PATH: &str = "/api/v4/system/ping";

/// The header in which the test of a `SiteURL` names the path that it tests.
pub(crate) const TESTED_PATH: &str = "x-quarterdeck-site-path";

/// The paths whose only parameter takes the rest of the path: an e-mail address can have slashes, and a page of the
/// console or a file of it has.
const OPEN_ENDED: [&str; 4] = [
    "/api/v4/users/email/{email}",
    "/admin_console/{page}",
    "/quarterdeck/assets/{file}",
    "/quarterdeck/console/{page}",
];

/// Finds the route of a request.
pub(crate) struct Router {
    paths: matchit::Router<HashMap<Verb, &'static Route>>,
    table: &'static [Route],
    site_path: SitePath,
}

impl Router {
    /// Builds the router from the route table. Fails if two paths conflict, which a test checks.
    pub(super) fn of(table: &'static [Route], site_path: SitePath) -> Result<Self, matchit::InsertError> {
        let mut by_path: HashMap<&'static str, HashMap<Verb, &'static Route>> = HashMap::new();
        for route in table {
            by_path.entry(route.path).or_default().insert(route.verb, route);
        }
        let mut paths = matchit::Router::new();
        for (path, verbs) in by_path {
            let is_open_ended = OPEN_ENDED.contains(&path);
            let pattern = if is_open_ended { path.replace("/{", "/{*") } else { path.to_owned() };
            paths.insert(pattern, verbs)?;
        }
        Ok(Self { paths, table, site_path })
    }

    /// Returns every route.
    pub(crate) fn table(&self) -> &'static [Route] {
        self.table
    }

    /// Returns the route for a method and path, if this listener serves it. Over the network, a route is found below
    /// the path of the site and at the root. The local socket has no path.
    ///
    /// This is the only place that takes the path of the site off. Everything after it sees the route.
    pub(crate) fn find(&self, method: &Method, path: &str, origin: Origin) -> Option<Found> {
        let verb = Verb::of(method)?;
        let below = self.site_path.below(path).filter(|_| origin == Origin::Network);
        let at_root = || self.at(verb, path, origin, Place::Root);
        match below {
            None => at_root(),
            // The path of the site without a slash at the end.
            Some("") => at_root().or_else(|| self.at(verb, FRONT_PATH, origin, Place::Bare)),
            // A site at `/api` has its own API at `/api/api/v4`, and that of the root at `/api/v4`.
            Some(rest) => {
                let prefix_bytes = path.len().saturating_sub(rest.len());
                self.at(verb, rest, origin, Place::Below { prefix_bytes }).or_else(at_root)
            }
        }
    }

    /// Returns the ping below a path that may become the path of the site. The test of `SiteURL` asks for it, before the
    /// path is saved and the server started again. The ping is public, so the header `TESTED_PATH` needs no proof.
    pub(crate) fn find_tested(&self, method: &Method, path: &str, tested: &str) -> Option<Found> {
        let prefix_bytes = path.len().saturating_sub(PING_PATH.len());
        let is_ping = SitePath::of(tested).below(path) == Some(PING_PATH);
        let verb = Verb::of(method).filter(|_| is_ping)?;
        self.at(verb, PING_PATH, Origin::Network, Place::Below { prefix_bytes })
    }

    fn at(&self, verb: Verb, path: &str, origin: Origin, place: Place) -> Option<Found> {
        let at = self.paths.at(path).ok()?;
        let route = *at.value.get(&verb)?;
        let params = at.params.iter().map(|(name, value)| (name.to_owned(), decoded(value))).collect();
        route.is_served_on(origin).then_some(Found { route, params, place })
    }
}

/// The place at which a request found its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the root, because `SiteURL` has no path, a proxy took it off, or the client does not know it.
    Root,
    /// Below the path of the site, which is this long.
    Below { prefix_bytes: usize },
    /// At the path of the site itself, without a slash at the end.
    Bare,
}

/// The route of a request, with its decoded path parameters.
pub(crate) struct Found {
    pub(crate) route: &'static Route,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) place: Place,
}

impl Found {
    /// Returns the path that led to the route, without the path of the site. `path` is the clean path of the request.
    pub(crate) fn path<'a>(&self, path: &'a str) -> &'a str {
        match self.place {
            Place::Root => path,
            Place::Below { prefix_bytes } => path.get(prefix_bytes..).unwrap_or(path),
            Place::Bare => FRONT_PATH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::routes::{router, table};

    #[test]
    fn every_route_is_found_below_the_path_of_the_site_as_at_the_root() {
        let router = router(SitePath::of("https://chat.example/a/b%C3%BCro")).unwrap();
        for route in table().iter().filter(|route| route.is_served_on(Origin::Network)) {
            let method = route.verb.as_str().parse().unwrap();
            let path = route.path.replace(['{', '}'], "x");
            for (prefix, place) in [("", Place::Root), ("/a/b%c3%bcro", Place::Below { prefix_bytes: 12 })] {
                let requested = format!("{prefix}{path}");
                let found = router.find(&method, &requested, Origin::Network).unwrap();
                assert_eq!((found.route.path, found.route.verb), (route.path, route.verb), "{requested}");
                assert_eq!((found.place, found.path(&requested)), (place, path.as_str()), "{requested}");
            }
            let on_socket = router.find(&method, &format!("/a/b%C3%BCro{path}"), Origin::LocalSocket);
            assert!(on_socket.is_none(), "{path}");
        }
    }

    #[test]
    fn only_the_ping_is_found_below_a_path_that_is_tested() {
        let router = router(SitePath::default()).unwrap();
        let finds = |method: Method, path: &str, tested: &str| router.find_tested(&method, path, tested).is_some();
        assert!(finds(Method::GET, "/team/api/v4/system/ping", "/team"));
        assert!(finds(Method::HEAD, "/a/b/api/v4/system/ping", "/a/b"));
        for (path, tested) in [
            ("/team/api/v4/users/me", "/team"),
            ("/teamwork/api/v4/system/ping", "/team"),
            ("/team/api/v4/system/ping", "/"),
            ("/team/api/v4/system/ping", ""),
            ("/team", "/team"),
        ] {
            assert!(!finds(Method::GET, path, tested), "{path} {tested}");
        }
        assert!(!finds(Method::POST, "/team/api/v4/system/ping", "/team"));
    }
}

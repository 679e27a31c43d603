//! Finds the route of a request.

use std::collections::HashMap;

use actix_web::http::Method;

use super::route::{Origin, Route, Verb};
use crate::base::percent::decoded;

/// Finds the route of a request.
pub(crate) struct Router {
    paths: matchit::Router<HashMap<Verb, &'static Route>>,
    table: &'static [Route],
}

impl Router {
    /// Builds the router from the route table. Fails if two paths conflict, which a test checks.
    pub(super) fn of(table: &'static [Route]) -> Result<Self, matchit::InsertError> {
        let mut by_path: HashMap<&'static str, HashMap<Verb, &'static Route>> = HashMap::new();
        for route in table {
            by_path.entry(route.path).or_default().insert(route.verb, route);
        }
        let mut paths = matchit::Router::new();
        for (path, verbs) in by_path {
            paths.insert(path, verbs)?;
        }
        Ok(Self { paths, table })
    }

    /// Returns every route.
    pub(crate) fn table(&self) -> &'static [Route] {
        self.table
    }

    /// Returns the route for a method and path, if this listener serves it.
    pub(crate) fn find(&self, method: &Method, path: &str, origin: Origin) -> Option<Found> {
        let at = self.paths.at(path).ok()?;
        let route = *at.value.get(&Verb::of(method)?)?;
        let params = at.params.iter().map(|(name, value)| (name.to_owned(), decoded(value))).collect();
        route.is_served_on(origin).then_some(Found { route, params })
    }
}

/// The route of a request, with its decoded path parameters.
pub(crate) struct Found {
    pub(crate) route: &'static Route,
    pub(crate) params: Vec<(String, String)>,
}

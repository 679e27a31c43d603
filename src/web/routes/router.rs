//! Finds the route of a request.

use std::collections::HashMap;

use actix_web::http::Method;

use super::route::{Class, Origin, Route};
use crate::base::percent::decoded;

/// Finds the route of a request.
pub(crate) struct Router {
    paths: matchit::Router<HashMap<Method, Route>>,
    rows: Vec<Row>,
}

impl Router {
    /// Builds the router from the rows of the table. Fails if two paths conflict, which a test checks.
    pub(super) fn of(table: Vec<Route>) -> Result<Self, matchit::InsertError> {
        let rows = table.iter().map(Row::of).collect();
        let mut by_path: HashMap<&'static str, HashMap<Method, Route>> = HashMap::new();
        for route in table {
            by_path.entry(route.path).or_default().insert(route.method.clone(), route);
        }
        let mut paths = matchit::Router::new();
        for (path, methods) in by_path {
            paths.insert(path, methods)?;
        }
        Ok(Self { paths, rows })
    }

    /// Returns every route, in the form that the description of the API needs.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.rows.clone()
    }

    /// Returns the route for a method and path. HEAD is served as GET.
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

/// The parts of a route that the description of the API needs.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) class: Class,
    pub(crate) is_on_socket: bool,
    pub(crate) is_local: bool,
}

impl Row {
    pub(super) fn of(route: &Route) -> Self {
        let Route { path, class, is_on_socket, is_local, .. } = *route;
        Self { method: route.method.clone(), path, class, is_on_socket, is_local }
    }
}

/// The route of a request, with its decoded path parameters.
pub(crate) struct Found<'a> {
    pub(crate) route: &'a Route,
    pub(crate) params: Vec<(String, String)>,
}

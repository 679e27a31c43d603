//! Redirects of requests to the address that browsers use for the same thing.

use actix_web::HttpResponse;
use actix_web::http::header::{LOCATION, SEC_WEBSOCKET_KEY};

use super::arrival::Arrival;
use crate::base::site_path::SitePath;
use crate::web::path::{self, CleanPath};
use crate::web::request::{header_of, query_of};
use crate::web::routes::route::Origin;
use crate::web::routes::router::{Found, Place};

/// The header with which a proxy names the prefix that it took off.
const PREFIX: &str = "X-Forwarded-Prefix";

/// The query parameter of a redirect from the root. If it comes back at the root, a proxy took the path of the site off,
/// and another redirect would be a loop.
const MARK: (&str, &str) = ("from", "root");

impl Arrival {
    /// Returns the redirect to the clean path, or that of a page to the path of the site.
    pub(super) fn redirect(&self, found: Option<&Found>, site: &SitePath) -> Option<HttpResponse> {
        if self.origin == Origin::LocalSocket {
            return None;
        }
        self.redirect_to_clean_path(site).or_else(|| self.redirect_to_page(found?, site))
    }

    /// Redirects a request to its clean path. Clients of the local socket and of a WebSocket follow no redirects, so
    /// their requests are served at once.
    ///
    /// The target is below the path of the site also if the request is not, because a proxy may have taken it off. If
    /// the proxy left its slash, the path begins with two, and no redirect would change that, so it is served.
    fn redirect_to_clean_path(&self, site: &SitePath) -> Option<HttpResponse> {
        let clean = self.clean.as_ref().filter(|clean| clean.has_other_segments)?;
        let opens_websocket = self.http.headers().contains_key(SEC_WEBSOCKET_KEY);
        let has_left_slash = !site.is_root() && has_one_slash_too_many(self.http.path());
        if opens_websocket || has_left_slash {
            return None;
        }
        let is_below = site.below(&clean.text).is_some();
        let target = if is_below { clean.text.clone() } else { site.link(&clean.text) };
        Some(path::redirect(&target, self.http.query_string()))
    }

    /// Redirects a page from the root to the path of the site, where browsers send their cookies.
    fn redirect_to_page(&self, found: &Found, site: &SitePath) -> Option<HttpResponse> {
        if !found.route.is_page || site.is_root() {
            return None;
        }
        let query = self.http.query_string();
        let query = match found.place {
            Place::Below { .. } => return None,
            Place::Bare => query.to_owned(),
            Place::Root if self.is_behind_stripping_proxy(site) => return None,
            Place::Root if query.is_empty() => format!("{}={}", MARK.0, MARK.1),
            Place::Root => format!("{query}&{}={}", MARK.0, MARK.1),
        };
        let mut target = site.link(found.path(self.path()));
        if !query.is_empty() {
            target.push('?');
            target.push_str(&query);
        }
        Some(HttpResponse::Found().insert_header((LOCATION, target)).finish())
    }

    /// Returns true if a proxy took the path of the site off: it says so, or an earlier redirect came back.
    fn is_behind_stripping_proxy(&self, site: &SitePath) -> bool {
        let prefix = header_of(&self.http, PREFIX).and_then(|prefix| site.below(prefix));
        matches!(prefix, Some("" | "/")) || query_of(&self.http, MARK.0).as_deref() == Some(MARK.1)
    }
}

fn has_one_slash_too_many(path: &str) -> bool {
    let rest = path.strip_prefix('/').filter(|rest| rest.starts_with('/'));
    rest.is_some_and(|rest| CleanPath::of(rest).is_none_or(|clean| !clean.has_other_segments))
}

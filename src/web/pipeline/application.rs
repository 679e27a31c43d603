//! Requests that the web application answers: those that no route serves, and those of the console.

use actix_web::HttpResponse;
use actix_web::http::Method;

use super::arrival::Arrival;
use crate::web::routes::route::Origin;
use crate::web::routes::router::Found;
use crate::web::state::AppState;
use crate::web::web_application::{Part, WebApplication};

impl Arrival {
    /// Returns the web application and the part of it that the request asks for. Returns `None` if there is no
    /// application, and for requests that are not its.
    pub(super) fn part<'a>(&self, app: &'a AppState, found: Option<&Found>) -> Option<(&'a WebApplication, Part<'a>)> {
        let application = app.facts.web_application.as_ref()?;
        let is_read = matches!(*self.http.method(), Method::GET | Method::HEAD) && self.origin == Origin::Network;
        let is_free = found.is_none_or(|found| found.route.yields);
        let part = if is_read && is_free { application.part(self.path()) } else { None };
        part.map(|part| (application, part))
    }

    /// Returns the response with a part of the web application; `None` without a part, and for a file that cannot be
    /// read. The limit of the headers is that of routes.
    pub(super) async fn show(&self, app: &AppState, part: Option<(&WebApplication, Part<'_>)>) -> Option<HttpResponse> {
        let (application, part) = part?;
        if let Err(refusal) = self.check_headers_length() {
            return Some(self.refuse(&refusal, app));
        }
        application.answer(&self.http, &self.config, part).await
    }
}

//! Requests that the web application answers: those that no route serves, and the front page.

use actix_web::HttpResponse;
use actix_web::http::Method;

use super::arrival::Arrival;
use crate::web::routes::route::Origin;
use crate::web::routes::router::{FRONT_PATH, Found};
use crate::web::state::AppState;

impl Arrival {
    /// Returns the response of the web application. Returns `None` if there is none, and for requests that are not its.
    pub(super) async fn application(&self, app: &AppState, found: Option<&Found>) -> Option<HttpResponse> {
        let application = app.facts.web_application.as_ref()?;
        let is_read = matches!(*self.http.method(), Method::GET | Method::HEAD) && self.origin == Origin::Network;
        let is_free = found.is_none_or(|found| found.route.path == FRONT_PATH);
        if is_read && is_free { application.answer(&self.http, &self.config, self.path()).await } else { None }
    }
}

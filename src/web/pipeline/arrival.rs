//! The state of a request while it passes through the pipeline.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpRequest;
use quarterdeck_actors::config::Config;

use crate::domain::session::Session;
use crate::web::path::CleanPath;
use crate::web::request::Context;
use crate::web::routes::route::Origin;

/// A request with the facts that the pipeline has found out about it.
pub(super) struct Arrival {
    pub(super) id: String,
    pub(super) http: HttpRequest,
    /// The path by which the request is treated, if the request itself has another one.
    pub(super) clean: Option<CleanPath>,
    pub(super) config: Arc<Config>,
    pub(super) origin: Origin,
    /// The value of `Content-Length`, in bytes.
    pub(super) announced: Option<u64>,
    /// The caller's session, once the pipeline has resolved it.
    pub(super) caller: OnceCell<Session>,
    /// The context for the handler, once the pipeline has made it.
    pub(super) context: OnceCell<Rc<Context>>,
    /// True once the rate limiter has counted the request for its user.
    pub(super) is_user_counted: Cell<bool>,
}

impl Arrival {
    /// Returns the path in its clean form. The path in `http` may have other segments and encoded letters.
    pub(super) fn path(&self) -> &str {
        self.clean.as_ref().map_or_else(|| self.http.path(), |clean| &clean.text)
    }
}

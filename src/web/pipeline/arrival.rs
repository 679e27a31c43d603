//! A request on its way through the pipeline.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpRequest;
use quarterdeck_actors::config::Config;

use crate::domain::session::Session;
use crate::web::request::Context;
use crate::web::routes::route::Origin;

/// A request as it came in.
pub(super) struct Arrival {
    pub(super) id: String,
    pub(super) http: HttpRequest,
    pub(super) config: Arc<Config>,
    pub(super) origin: Origin,
    /// The length of the body that the client announced, in bytes.
    pub(super) announced: Option<u64>,
    /// Who is calling, once that is known.
    pub(super) caller: OnceCell<Session>,
    /// What its handler works with, once it has one.
    pub(super) context: OnceCell<Rc<Context>>,
    /// Set once the rate limiter counted the request for its user.
    pub(super) is_user_counted: Cell<bool>,
}

//! The target of an address that redirects.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The target of a redirect.
#[derive(Serialize, ToSchema)]
#[schema(as = RedirectLocation)]
pub(super) struct Target {
    /// The address; empty if there is no redirect.
    location: String,
}

pub(super) const SHOW: Operation = Description::new(
    Tag::System,
    "GetRedirectLocation",
    "Tells where an address redirects to, without following the redirect.",
)
.queries(&[Query::required("url", Type::NonEmptyString, "The address.")])
.responses(&[Response::json(
    200,
    Type::of::<Target>(),
    "The target; empty if there is no redirect, or if link previews are off.",
)])
.refusals(&[400])
.handled_by(handler!(show));

/// `GET /redirect_location`: returns the address to which another one redirects, without requesting it; empty if there
/// is none.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<Target> {
    let service = &request.config().view.service;
    if !service.enable_link_previews {
        return Ok(Json(Target { location: String::new() }));
    }
    let url = request.query("url").ok_or_else(|| AppError::invalid_body("url"))?;
    let location = app.outside.links.location(&url, session.user_id(), &app.outside.outbound, service);
    let location = request.while_awaited(location).await??;
    Ok(Json(Target { location }))
}

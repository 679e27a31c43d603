//! The route that lists permission schemes. This server makes none: it lists those that Mattermost left in the database.

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};

use crate::base::scheme::Scheme;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, PAGE, PER_PAGE, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

pub(super) const LIST: Operation = Description::new(Tag::Accounts, "GetSchemes", "Lists permission schemes.")
    .details("Needs the permission `sysconsole_read_user_management_permissions`.")
    .queries(&[
        PAGE,
        PER_PAGE,
        Query::optional("scope", Type::OneOf(&["team", "channel"]), "Only schemes of this scope."),
    ])
    .responses(&[Response::json(200, Type::List(&Type::of::<Scheme>()), "The page.")])
    .refusals(&[400, 403, 500])
    .handled_by(handler!(list));

/// `GET /schemes`: lists permission schemes.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Scheme>> {
    session.require("sysconsole_read_user_management_permissions")?;
    let scope = request.query("scope");
    if scope.as_deref().is_some_and(|scope| scope != "team" && scope != "channel") {
        return Err(AppError::invalid_body("scope"));
    }
    let schemes = app.db.schemes(scope.as_deref(), request.paging()).await;
    schemes.map(Json).or_fail("app.scheme.get.app_error")
}

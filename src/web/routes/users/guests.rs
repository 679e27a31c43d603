//! Routes that make a member of a guest, and a guest of a member.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use serde_json::json;

use crate::base::user::User;
use crate::domain::accounts;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::Done;
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, handler};
use crate::web::state::AppState;

pub(crate) const PROMOTE: Operation = Description::new(
    Tag::Accounts,
    "PromoteGuestToUser",
    "Makes a member of a guest, in all its teams and channels and in open sessions.",
)
.details("Needs the permission `promote_guest`. Refused where one member more is beyond the limit for active accounts.")
.responses(&[Response::json(200, STATUS_OK, "Done.")])
.refusals(&[400, 403, 404, 500, 501])
.handled_by(handler!(promote));

/// `POST /users/{user_id}/promote`: makes a member of a guest.
pub(crate) async fn promote(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<Done, AppError> {
    let id = request.user_id(&session)?;
    session.require("promote_guest")?;
    let rules = accounts::site_rules(request.config(), &app.actors.license);
    let parts = (&app.accounts, &app.actors.hub);
    let change = accounts::promote(parts, request.config(), rules, (&session, &id)).await?;
    note(&audit, &change);
    Ok(Done)
}

pub(crate) const DEMOTE: Operation = Description::new(
    Tag::Accounts,
    "DemoteUserToGuest",
    "Makes a guest of a member, in all its teams and channels and in open sessions.",
)
.details(
    "Needs the permission `demote_to_guest`, a licence for guest accounts, and `GuestAccountsSettings.Enable`. The guest \
     has no role of an administrator. The last administrator cannot become a guest.",
)
.responses(&[Response::json(200, STATUS_OK, "Done.")])
.refusals(&[400, 403, 404, 500, 501])
.handled_by(handler!(demote));

/// `POST /users/{user_id}/demote`: makes a guest of a member.
pub(crate) async fn demote(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<Done, AppError> {
    let id = request.user_id(&session)?;
    let license = app.actors.license.current();
    if !license.as_ref().is_some_and(|license| license.features.has("guest_accounts")) {
        return Err(AppError::new("api.team.demote_user_to_guest.license.error"));
    }
    if !request.config().view.guests.enable {
        return Err(AppError::new("api.team.demote_user_to_guest.disabled.error"));
    }
    session.require("demote_to_guest")?;
    let rules = accounts::site_rules(request.config(), &app.actors.license);
    let parts = (&app.accounts, &app.actors.hub);
    let change = accounts::demote(parts, request.config(), rules, (&session, &id)).await?;
    note(&audit, &change);
    Ok(Done)
}

fn note(audit: &Audit, (before, after): &(User, User)) {
    audit.changed(&json!({ "roles": before.roles }), &json!({ "roles": after.roles }));
}

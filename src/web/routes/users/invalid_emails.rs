//! The route that lists the accounts whose address is outside of the domains that new accounts must have.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};

use crate::base::user::view::UserView;
use crate::domain::session::Session;
use crate::web::answer::{Json, Reply};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, PAGE, PER_PAGE, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The number of domains that are compared; further ones are ignored.
const MAX_DOMAINS: usize = 100;

pub(crate) const LIST: Operation = Description::new(
    Tag::Accounts,
    "GetUsersWithInvalidEmails",
    "Lists the active accounts with a password whose address is in none of `RestrictCreationToDomains`.",
)
.details("Needs the permission `sysconsole_read_user_management_users`. Refused while `EnableOpenServer` is on.")
.queries(&[PAGE, PER_PAGE])
.responses(&[Response::json(200, Type::List(&Type::of::<UserView<'_>>()), "The page, sorted by name.")])
.refusals(&[400, 403, 500])
.handled_by(handler!(list));

/// `GET /users/invalid_emails`: lists accounts with an address that a new account could not have. Guests and bots are left
/// out.
pub(crate) async fn list(request: Request, session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    session.require("sysconsole_read_user_management_users")?;
    let team = &request.config().view.team;
    if team.enable_open_server {
        return Err(AppError::new("api.users.invalid_emails.enable_open_server.app_error"));
    }
    let domains = team.restrict_creation_to_domains.split(',').map(|domain| domain.trim().trim_start_matches('@'));
    let domains = domains.filter(|domain| !domain.is_empty()).take(MAX_DOMAINS).map(str::to_lowercase).collect();
    let users = app.db.users_outside_of(domains, request.paging()).await.or_fail("app.user.get_profiles.app_error")?;
    let config = request.config();
    let views: Vec<_> = users.iter().map(|user| user.seen_by(&session, config)).collect();
    Json(views).reply()
}

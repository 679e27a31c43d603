//! The route that lists bots; `managing` holds those for one bot.

pub(super) mod managing;

use actix_web::web::Data;
use quarterdeck_actors::error::OrFail;

use crate::base::bot::Bot;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, PAGE, PER_PAGE, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

pub(super) const LIST: Operation = Description::new(Tag::Accounts, "GetBots", "Lists bots.")
    .details("Needs the permission `read_others_bots`; with `read_bots` alone, the caller's own bots are listed.")
    .queries(&[
        PAGE,
        PER_PAGE,
        Query::optional("include_deleted", Type::Boolean, "Includes deactivated bots."),
        Query::optional("only_orphaned", Type::Boolean, "Only bots whose owner is deactivated."),
    ])
    .responses(&[Response::json(200, Type::List(&Type::of::<Bot>()), "The page.")])
    .refusals(&[403, 500])
    .handled_by(handler!(list));

/// `GET /bots`: lists bots.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Bot>> {
    let is_for_all = session.may("read_others_bots");
    if !is_for_all {
        session.require("read_bots")?;
    }
    let owner = (!is_for_all).then(|| session.user_id().to_owned());
    let (includes_deleted, only_orphaned) = (request.is_true("include_deleted"), request.is_true("only_orphaned"));
    let bots = app.db.bots(owner.as_deref(), includes_deleted, only_orphaned, request.paging()).await;
    bots.map(Json).or_fail("app.bot.getbots.internal_error")
}

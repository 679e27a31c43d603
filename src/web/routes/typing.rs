//! The route that tells the members of a channel that a user is typing. The action of the WebSocket does the same.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::is_id;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::base::lenient::or_empty;
use crate::domain::accounts::extend;
use crate::domain::session::Session;
use crate::domain::{announce, channels};
use crate::web::answer::Done;
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

/// The place in which a user types.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = TypingRequest)]
pub(super) struct Typing {
    /// The id of the channel.
    #[serde(default, deserialize_with = "or_empty")]
    #[schema(required = true, min_length = 26, max_length = 26)]
    channel_id: String,
    /// The id of the post that is answered; empty outside of a thread.
    #[serde(default, deserialize_with = "or_empty")]
    parent_id: String,
}

pub(super) const PUBLISH: Operation =
    Description::new(Tag::Accounts, "PublishUserTyping", "Tells the members of a channel that a user is typing.")
        .details("For another user than the caller, it needs the permission `manage_system`.")
        .body(Type::of::<Typing>(), "The channel.")
        .responses(&[Response::json(200, STATUS_OK, "Told.")])
        .refusals(&[400, 403, 404, 500, 503])
        .handled_by(handler!(publish));

/// `POST /users/{user_id}/typing`: publishes the event `typing`.
pub(super) async fn publish(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<Done, AppError> {
    let user_id = request.user_id(&session)?;
    let Typing { channel_id, parent_id } = body.object("typing_request").await?;
    let is_own = session.user_id() == user_id;
    if !is_own {
        session.require("manage_system")?;
    }
    let may = is_id(&channel_id)
        && if is_own {
            channels::may(&app.accounts, &session, &channel_id, "create_post").await?
        } else {
            channels::user_may(&app.accounts, &user_id, &channel_id, "create_post").await?
        };
    if !may {
        return Err(session.refusal("create_post"));
    }
    extend(&app.accounts.sessions, request.config(), &session).await;
    let parent_id = Some(parent_id).filter(|id| is_id(id)).unwrap_or_default();
    announce::typing(&app.actors.hub, &user_id, &channel_id, &parent_id).await;
    Ok(Done)
}

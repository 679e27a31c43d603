//! `/system/e2e/ai_bridge`: the stand-in for an AI service, for end-to-end tests.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;

use crate::domain::ai_bridge::{Script, State};
use crate::domain::session::Session;
use crate::web::answer::{Answer, Done, Json};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

pub(super) const REPLACE: Operation =
    Description::new(Tag::System, "SetAIBridgeTestHelper", "Replaces the responses of the stand-in for the AI bridge.")
        .details("Needs `ServiceSettings.EnableTesting`, then the permission `manage_system`.")
        .body(Type::of::<Script>(), "The new responses.")
        .responses(&[Response::json(200, Type::of::<State>(), "The state of the stand-in.")])
        .refusals(&[400, 403, 501])
        .handled_by(handler!(replace));

/// `PUT`: replaces the scripted answers and deletes the recorded requests.
pub(super) async fn replace(request: Request, session: Session, app: Data<AppState>, body: Body) -> Answer<State> {
    check(&request, &session)?;
    let script: Script = body.object("body").await?;
    app.tools.ai_bridge.follow(script)?;
    Ok(Json(app.tools.ai_bridge.state()))
}

pub(super) const SHOW: Operation = Description::new(
    Tag::System,
    "GetAIBridgeTestHelper",
    "Returns the responses of the stand-in for the AI bridge, and the requests that it received.",
)
.details("Needs `ServiceSettings.EnableTesting`, then the permission `manage_system`.")
.responses(&[Response::json(200, Type::of::<State>(), "The state of the stand-in.")])
.refusals(&[403, 501])
.handled_by(handler!(show));

/// `GET`: returns the scripted answers and the recorded requests.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<State> {
    check(&request, &session)?;
    Ok(Json(app.tools.ai_bridge.state()))
}

pub(super) const RESET: Operation =
    Description::new(Tag::System, "DeleteAIBridgeTestHelper", "Empties the stand-in for the AI bridge.")
        .details("Needs `ServiceSettings.EnableTesting`, then the permission `manage_system`.")
        .responses(&[Response::json(200, STATUS_OK, "Emptied.")])
        .refusals(&[403, 501])
        .handled_by(handler!(reset));

/// `DELETE`: deletes the script and the recorded requests.
pub(super) async fn reset(request: Request, session: Session, app: Data<AppState>) -> Result<Done, AppError> {
    check(&request, &session)?;
    app.tools.ai_bridge.reset();
    Ok(Done)
}

/// Refuses the request if `EnableTesting` is off, before it checks the caller's permission.
fn check(request: &Request, session: &Session) -> Result<(), AppError> {
    if !request.config().view.service.enable_testing {
        return Err(AppError::new("api.ai_bridge_test_helper.disabled.app_error"));
    }
    session.require("manage_system")
}

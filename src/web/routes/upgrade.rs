//! Routes that upgrade this program.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::upgrade::Stage;
use serde::Serialize;
use utoipa::ToSchema;

use crate::base::error_text::text_of;
use crate::domain::session::Session;
use crate::web::answer::{Accepted, Answer, Done, Json};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

/// The progress of the upgrade, as clients receive it.
#[derive(Serialize, ToSchema)]
#[schema(as = UpgradeStatus)]
pub(super) struct Status {
    /// The reason why the last upgrade failed.
    #[schema(required = true)]
    error: Option<String>,
    /// The progress in percent, from 0 to 100.
    percentage: u64,
}

pub(super) const BEGIN: Operation = Description::new(
    Tag::System,
    "UpgradeToEnterprise",
    "Replaces this program with the latest release, in the background.",
)
.details(
    "Needs the permission `manage_system`. The release comes from the configured source and \
     is refused without a valid signature.",
)
.responses(&[Response::json(202, STATUS_OK, "Started. `upgrade_to_enterprise/status` tells the progress.")])
.refusals(&[403, 429, 500])
.handled_by(handler!(begin));

/// `POST /upgrade_to_enterprise`: starts to replace this program with the newest release, in the background.
pub(super) async fn begin(session: Session, app: Data<AppState>) -> Result<Accepted, AppError> {
    session.require("manage_system")?;
    app.actors.upgrade.begin().await?;
    Ok(Accepted)
}

pub(super) const SHOW: Operation =
    Description::new(Tag::System, "UpgradeToEnterpriseStatus", "Tells the progress of the upgrade.")
        .details("Needs the permission `manage_system`.")
        .responses(&[Response::json(
            200,
            Type::of::<Status>(),
            "The progress in percent, and the error of the last upgrade if it failed.",
        )])
        .refusals(&[403])
        .handled_by(handler!(show));

/// `GET /upgrade_to_enterprise/status`: returns the progress of the upgrade, and the reason why the last one failed.
pub(super) async fn show(session: Session, app: Data<AppState>) -> Answer<Status> {
    session.require("manage_system")?;
    let stage = app.actors.upgrade.stage();
    let percentage = stage.percentage();
    let error = if let Stage::Failed(cause) = stage { Some(text_of(&cause)) } else { None };
    Ok(Json(Status { error, percentage }))
}

pub(super) const CHECK: Operation =
    Description::new(Tag::System, "IsAllowedToUpgradeToEnterprise", "Tells if the server can be upgraded.")
        .details("Needs the permission `manage_system`.")
        .responses(&[Response::json(200, STATUS_OK, "It can.")])
        .refusals(&[403])
        .handled_by(handler!(check));

/// `GET /upgrade_to_enterprise/allowed`: tells if this program can be replaced.
pub(super) async fn check(session: Session, app: Data<AppState>) -> Result<Done, AppError> {
    session.require("manage_system")?;
    app.actors.upgrade.check().await?;
    Ok(Done)
}

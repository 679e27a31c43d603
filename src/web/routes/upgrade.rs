//! Routes that upgrade this program and restart it.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::upgrade::Stage;
use serde::Serialize;

use crate::base::error_text::text_of;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Begun, Done, Json};
use crate::web::state::AppState;

/// The progress of the upgrade, as clients receive it.
#[derive(Serialize)]
pub(super) struct Status {
    error: Option<String>,
    percentage: u64,
}

/// `POST /upgrade_to_enterprise`: starts to replace this program with the newest release, in the background.
pub(super) async fn begin(session: Session, app: Data<AppState>) -> Result<Begun, AppError> {
    session.require("manage_system")?;
    app.actors.upgrade.begin().await?;
    Ok(Begun)
}

/// `GET /upgrade_to_enterprise/status`: returns the progress of the upgrade, and the reason why the last one failed.
pub(super) async fn show(session: Session, app: Data<AppState>) -> Answer<Status> {
    session.require("manage_system")?;
    let stage = app.actors.upgrade.stage();
    let percentage = stage.percentage();
    let error = if let Stage::Failed(cause) = stage { Some(text_of(&cause)) } else { None };
    Ok(Json(Status { error, percentage }))
}

/// `GET /upgrade_to_enterprise/allowed`: tells if this program can be replaced.
pub(super) async fn check(session: Session, app: Data<AppState>) -> Result<Done, AppError> {
    session.require("manage_system")?;
    app.actors.upgrade.check().await?;
    Ok(Done)
}

/// `POST /restart`: restarts into the program that an upgrade installed. Does nothing without an upgrade.
pub(super) async fn restart(session: Session, app: Data<AppState>, audit: Audit) -> Result<Done, AppError> {
    session.require("manage_system")?;
    if let Stage::Complete(version) = app.actors.upgrade.stage() {
        audit.parameter("version", &*version);
        app.tools.restart.notify_one();
    }
    Ok(Done)
}

//! Routes that upgrade this program, and those of the other servers on its database.

mod asking;
mod leading;
pub(crate) mod part;
mod plan;

use std::collections::{BTreeMap, HashSet};

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::upgrade::Stage;

use crate::base::error_text::text_of;
use crate::domain::session::Session;
use crate::store::{Rollout, StoredRollout};
use crate::web::answer::{Accepted, Answer, Done, Json};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;
use plan::Status;
pub(super) use plan::is_running;

pub(super) const BEGIN: Operation = Description::new(
    Tag::System,
    "UpgradeToEnterprise",
    "Replaces this program with the latest release, in the background.",
)
.details(
    "Needs the permission `manage_system`. The release comes from the configured source and \
     is refused without a valid signature. An extension: all servers on the database install it, one after the other, and \
     each of them tells the progress of all.",
)
.responses(&[Response::json(202, STATUS_OK, "Started. `upgrade_to_enterprise/status` tells the progress.")])
.refusals(&[403, 409, 429, 500])
.handled_by(handler!(begin));

/// `POST /upgrade_to_enterprise`: starts to replace this program with the newest release, in the background, and then those
/// of the other servers on the database.
pub(super) async fn begin(session: Session, app: Data<AppState>) -> Result<Accepted, AppError> {
    session.require("manage_system")?;
    leading::begin(app).await?;
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
        .refusals(&[403, 500])
        .handled_by(handler!(show));

/// `GET /upgrade_to_enterprise/status`: returns the progress of the upgrade, and the reason why the last one failed.
pub(super) async fn show(session: Session, app: Data<AppState>) -> Answer<Status> {
    session.require("manage_system")?;
    if let Some(stored) = last(&app).await? {
        let living = living(&app).await;
        let plan = asking::current(&app, &stored, &living).await;
        if let Some(status) = plan::status(&stored, plan, &living) {
            return Ok(Json(status));
        }
    }
    let stage = app.actors.upgrade.stage();
    let percentage = stage.percentage();
    let error = if let Stage::Failed(cause) = stage { Some(text_of(&cause)) } else { None };
    Ok(Json(Status { error, percentage, ..Status::default() }))
}

pub(super) const CHECK: Operation =
    Description::new(Tag::System, "IsAllowedToUpgradeToEnterprise", "Tells if the server can be upgraded.")
        .details("Needs the permission `manage_system`. It can only if all servers on the database can.")
        .responses(&[Response::json(200, STATUS_OK, "It can.")])
        .refusals(&[403, 409, 429, 500])
        .handled_by(handler!(check));

/// `GET /upgrade_to_enterprise/allowed`: tells if this program can be replaced, and those of the other servers.
pub(super) async fn check(session: Session, app: Data<AppState>) -> Result<Done, AppError> {
    session.require("manage_system")?;
    leading::check(&app).await?;
    Ok(Done)
}

/// Returns the last upgrade of servers on the database; `None` if there was none, or if this server has no others.
pub(super) async fn last(app: &AppState) -> Result<Option<StoredRollout>, AppError> {
    if !app.db.is_shared() {
        return Ok(None);
    }
    app.db.rollout(Rollout::Upgrade).await.or_fail("app.cluster.read.app_error")
}

/// Returns the runs of servers that have a new program in place and are not restarted yet, each with its version.
pub(super) async fn upgraded(app: &AppState) -> Result<BTreeMap<String, String>, AppError> {
    let mut found = BTreeMap::new();
    if let Some(stored) = last(app).await? {
        let living = living(app).await;
        found = asking::current(app, &stored, &living).await.upgraded(&living);
    }
    if let Stage::Complete(release) = app.actors.upgrade.stage() {
        found.insert(app.node().0, release.version.clone());
    }
    Ok(found)
}

/// Returns the ids of the runs of all servers.
async fn living(app: &AppState) -> HashSet<String> {
    let others = app.actors.cluster.others().await;
    others.nodes.into_iter().map(|node| node.id).chain([app.node().0]).collect()
}

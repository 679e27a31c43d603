//! A server's part in the upgrade of several: it tells if it can be upgraded, installs the release when it is its turn, and
//! tells how far it is.

use quarterdeck_actors::cluster::{Absence, Reply, Taken};
use quarterdeck_actors::upgrade::{Release, Stage};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::base::error_text::text_of;
use crate::web::routes::restart::nodes::has_turn;
use crate::web::state::AppState;

/// The kind of the question that a server is asked in an upgrade. Its argument is a [`Request`].
pub(crate) const UPGRADE_SERVER: &str = "upgrade_server";

/// The arguments of the question.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) step: Step,
    /// The id of the upgrade; empty for a check.
    pub(super) upgrade: String,
    /// The release that is in place on another server, so that no other one may be installed.
    #[serde(default)]
    pub(super) release: Option<Release>,
}

/// The steps of an upgrade.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Step {
    /// Tell if the server can be upgraded.
    #[default]
    Check,
    /// Begin to install the release.
    Begin,
    /// Tell how far it is.
    Look,
}

/// The state that a server tells of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Report {
    /// It can be upgraded.
    Ready,
    /// Its file is another program by now; with the reason why it cannot be upgraded alone.
    Replaced(String),
    /// It cannot be upgraded, for this reason.
    Refused(String),
    /// It installs the release, with the percentage.
    Running(u64),
    /// The release could not be installed, for this reason.
    Failed(String),
    /// This release is in place, and runs after a restart.
    Complete(Release),
    /// It runs this release, which is the newest one.
    Current(Release),
}

impl Report {
    fn of(stage: &Stage) -> Self {
        match stage {
            Stage::Idle => Self::Ready,
            Stage::InProgress(percentage) => Self::Running(*percentage),
            Stage::Failed(cause) => Self::Failed(text_of(cause)),
            Stage::Complete(release) => Self::Complete(Release::clone(release)),
            Stage::Current(release) => Self::Current(Release::clone(release)),
        }
    }
}

/// Answers the question of the server that leads an upgrade.
pub(crate) async fn answer(app: &AppState, Taken { content, .. }: Taken) -> Reply {
    let request = serde_json::from_str(&content.arguments).map_err(|_| Absence::Unknown)?;
    if app.limits.traffic.is_draining() {
        return Err(Absence::Busy);
    }
    serde_json::to_string(&take(app, request).await.map_err(|_| Absence::Failed)?).map_err(|_| Absence::Failed)
}

/// Takes a step on this server. It begins to install a release only if the store says that it is its turn.
pub(super) async fn take(app: &AppState, request: Request) -> Result<Report, Absence> {
    match request.step {
        Step::Check => Ok(check(app).await),
        Step::Look => Ok(Report::of(&app.actors.upgrade.stage())),
        Step::Begin => match has_turn(app, &request.upgrade).await {
            Ok(true) => Ok(begin(app, request.release).await),
            Ok(false) => {
                warn!("this server is told to install a release, but it is not its turn; nothing changes");
                Err(Absence::Failed)
            }
            Err(cause) => {
                warn!(%cause, "the database does not tell if this server is to install a release");
                Err(Absence::Unreachable)
            }
        },
    }
}

async fn check(app: &AppState) -> Report {
    let stage = app.actors.upgrade.stage();
    if matches!(stage, Stage::InProgress(_) | Stage::Complete(_)) {
        return Report::of(&stage);
    }
    match app.actors.upgrade.check().await {
        Ok(()) => Report::Ready,
        Err(_) if app.actors.upgrade.is_in_place().await => Report::Ready,
        Err(cause) if app.actors.upgrade.is_replaced().await => Report::Replaced(text_of(&cause)),
        Err(cause) => Report::Refused(text_of(&cause)),
    }
}

/// Begins the upgrade, unless it began already: the answer to an earlier question may be lost.
async fn begin(app: &AppState, release: Option<Release>) -> Report {
    let begun = app.actors.upgrade.begin_among_others(release).await;
    let stage = app.actors.upgrade.stage();
    match begun {
        Err(cause) if matches!(stage, Stage::Idle | Stage::Failed(_) | Stage::Current(_)) => {
            Report::Refused(text_of(&cause))
        }
        Ok(()) | Err(_) => Report::of(&stage),
    }
}

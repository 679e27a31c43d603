//! What the server does by the clock, as long as it runs.

use std::time::Duration;

use actix_web::web::Data;
use quarterdeck_actors::audit::{Caller, Status};
use quarterdeck_actors::clock::{DAY_MS, wall_ms};
use tracing::{info, warn};

use crate::store::{Db, own_record};
use crate::web::state::AppState;

/// How often connections are looked through for those that are too old.
const RETIREMENT: Duration = Duration::from_secs(30);

/// How often old rows of the audit trail, and old attempts at unknown names, are looked for.
const PRUNING: Duration = Duration::from_hours(1);

/// How often refusals that were counted are put together into a record.
const REPORT: Duration = Duration::from_mins(1);

pub(super) async fn renew_prepared(app: Data<AppState>) {
    let mut config = app.actors.config.follow();
    while config.changed().await.is_ok() {
        config.borrow_and_update();
        app.prepared.current(&app.actors.config);
    }
}

pub(super) async fn retire_connections(db: Db) {
    loop {
        tokio::time::sleep(RETIREMENT).await;
        db.retire_connections().await;
    }
}

pub(super) async fn keep_reporting_refusals(app: Data<AppState>) {
    loop {
        tokio::time::sleep(REPORT).await;
        report_refusals(&app).await;
    }
}

pub(super) async fn keep_pruning(db: Db, days: i64) {
    loop {
        match db.prune_audits(wall_ms() - days * DAY_MS).await {
            Ok(0) => {}
            Ok(count) => info!(audit.pruned = count, "old rows of the audit trail were deleted"),
            Err(cause) => warn!(cause = %cause, "old rows of the audit trail were not deleted"),
        }
        tokio::time::sleep(PRUNING).await;
    }
}

pub(super) async fn keep_pruning_names(db: Db) {
    loop {
        if let Err(cause) = db.prune_unknown_names(wall_ms()).await {
            warn!(%cause, "attempts at unknown names that are old were not deleted");
        }
        tokio::time::sleep(PRUNING).await;
    }
}

/// Drafts of the audit trail older than this belong to a server that is gone. It allows for clocks that differ.
const DRAFT_AGE_MS: i64 = 10 * 60_000;

/// How often such drafts are looked for.
const CLOSING: Duration = Duration::from_mins(1);

/// Gives the drafts that an earlier run left their places in the trail. Several servers share a PostgreSQL: there, the
/// drafts of the last minutes may belong to others.
pub(super) async fn close_earlier_drafts(db: &Db) {
    let is_alone = db.engine_name() == "sqlite";
    close_drafts(db, if is_alone { i64::MAX } else { wall_ms() - DRAFT_AGE_MS }).await;
}

pub(super) async fn keep_closing_drafts(app: Data<AppState>) {
    loop {
        tokio::time::sleep(CLOSING).await;
        let before = wall_ms() - DRAFT_AGE_MS;
        // The records of this server come first: a draft would take the place of one that waits.
        if app.trail.audit.flush().await.is_ok() {
            close_drafts(&app.db, before).await;
        }
    }
}

async fn close_drafts(db: &Db, before: i64) {
    match db.close_drafts(before).await {
        Ok(0) => {}
        Ok(count) => info!(audit.drafts = count, "changes of a server that ended are in the audit trail"),
        Err(cause) => warn!(%cause, "drafts of the audit trail wait for the next attempt"),
    }
}

/// Records how many refusals were counted. Where there is no room for that, the counts stay for the next time.
pub(super) async fn report_refusals(app: &AppState) {
    for (event, refusals) in [("refuseStrangers", &app.trail.strangers), ("countRefusals", &app.trail.refusals)] {
        let Some(permit) = app.trail.audit.reserve(&Caller::Server).await else { continue };
        if let Some(parameters) = refusals.take() {
            app.trail.audit.place(permit, own_record(event, Status::Fail, parameters));
        }
    }
}

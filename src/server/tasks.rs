//! Periodic tasks that run as long as the server.

use std::time::Duration;

use actix_web::web::Data;
use quarterdeck_actors::audit::{Caller, Status};
use quarterdeck_actors::clock::{DAY_MS, wall_ms};
use tracing::{info, warn};

use crate::store::{Db, own_record};
use crate::web::state::AppState;

/// The interval between two searches for database connections that are too old.
const RETIRE_INTERVAL: Duration = Duration::from_secs(30);

/// The interval between two deletions of old audit rows, and of old attempts at unknown names.
const PRUNE_INTERVAL: Duration = Duration::from_hours(1);

/// The interval between two audit records with the number of counted refusals.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

pub(super) async fn renew_prepared(app: Data<AppState>) {
    let mut config = app.actors.config.follow();
    while config.changed().await.is_ok() {
        config.borrow_and_update();
        app.prepared.current(&app.actors.config);
    }
}

pub(super) async fn retire_connections(db: Db) {
    loop {
        tokio::time::sleep(RETIRE_INTERVAL).await;
        db.retire_connections().await;
    }
}

pub(super) async fn keep_reporting_refusals(app: Data<AppState>) {
    loop {
        tokio::time::sleep(REPORT_INTERVAL).await;
        report_refusals(&app).await;
    }
}

pub(super) async fn keep_pruning(db: Db, days: i64) {
    loop {
        match db.prune_audits(wall_ms() - days * DAY_MS).await {
            Ok(0) => {}
            Ok(count) => info!(audit.pruned = count, "old audit rows deleted"),
            Err(cause) => warn!(cause = %cause, "old audit rows could not be deleted"),
        }
        tokio::time::sleep(PRUNE_INTERVAL).await;
    }
}

pub(super) async fn keep_pruning_names(db: Db) {
    loop {
        if let Err(cause) = db.prune_unknown_names(wall_ms()).await {
            warn!(%cause, "old login attempts for unknown names could not be deleted");
        }
        tokio::time::sleep(PRUNE_INTERVAL).await;
    }
}

/// The age from which a draft of the audit trail belongs to a server that is gone, in ms. It allows for clock skew.
const MIN_DRAFT_AGE_MS: i64 = 10 * 60_000;

/// The interval between two searches for such drafts.
const CLOSE_DRAFTS_INTERVAL: Duration = Duration::from_mins(1);

/// Adds the drafts that an earlier run left to the audit trail. Several servers may share a PostgreSQL, so there only
/// drafts older than [`MIN_DRAFT_AGE_MS`] are added: younger ones may belong to another server.
pub(super) async fn close_earlier_drafts(db: &Db) {
    let is_alone = db.engine_name() == "sqlite";
    close_drafts(db, if is_alone { i64::MAX } else { wall_ms() - MIN_DRAFT_AGE_MS }).await;
}

pub(super) async fn keep_closing_drafts(app: Data<AppState>) {
    loop {
        tokio::time::sleep(CLOSE_DRAFTS_INTERVAL).await;
        let before = wall_ms() - MIN_DRAFT_AGE_MS;
        // Records of this server are stored first: otherwise a draft would take the place of a record that still waits.
        if app.trail.audit.flush().await.is_ok() {
            close_drafts(&app.db, before).await;
        }
    }
}

async fn close_drafts(db: &Db, before: i64) {
    match db.close_drafts(before).await {
        Ok(0) => {}
        Ok(count) => info!(audit.drafts = count, "drafts that an earlier server left were added to the audit trail"),
        Err(cause) => warn!(%cause, "drafts could not be added to the audit trail; the server tries again"),
    }
}

/// Writes an audit record with the number of counted refusals. If the trail has no room, the counts stay for next time.
pub(super) async fn report_refusals(app: &AppState) {
    for (event, refusals) in [("refuseStrangers", &app.trail.unauthenticated), ("countRefusals", &app.trail.refusals)] {
        let Some(permit) = app.trail.audit.reserve(&Caller::Server).await else { continue };
        if let Some(parameters) = refusals.take() {
            app.trail.audit.place(permit, own_record(event, Status::Fail, parameters));
        }
    }
}

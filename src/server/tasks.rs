//! What the server does by the clock, as long as it runs.

use std::time::Duration;

use actix_web::web::Data;
use quarterdeck_actors::audit::Status;
use tracing::{info, warn};

use crate::state::{AppState, now_ms};
use crate::store::{Db, own_record};

/// How often connections are looked through for those that are too old.
const RETIREMENT: Duration = Duration::from_secs(30);

/// How often old rows of the audit trail are looked for.
const PRUNING: Duration = Duration::from_hours(1);

const DAY_MS: i64 = 86_400_000;

/// How often refusals of callers without a session are put together into a record.
const REPORT: Duration = Duration::from_mins(1);

pub(super) async fn renew_prepared(app: Data<AppState>) {
    let mut config = app.config.follow();
    while config.changed().await.is_ok() {
        config.borrow_and_update();
        app.prepared.current(&app.config);
    }
}

pub(super) async fn retire_connections(db: Db) {
    loop {
        tokio::time::sleep(RETIREMENT).await;
        db.retire_connections();
    }
}

pub(super) async fn keep_reporting_strangers(app: Data<AppState>) {
    loop {
        tokio::time::sleep(REPORT).await;
        report_strangers(&app).await;
    }
}

pub(super) async fn keep_pruning(db: Db, days: i64) {
    loop {
        match db.prune_audits(now_ms() - days * DAY_MS).await {
            Ok(0) => {}
            Ok(count) => info!(audit.pruned = count, "old rows of the audit trail were deleted"),
            Err(cause) => warn!(cause = %cause, "old rows of the audit trail were not deleted"),
        }
        tokio::time::sleep(PRUNING).await;
    }
}

/// Records how many callers without a session were turned away.
pub(super) async fn report_strangers(app: &AppState) {
    if let Some(parameters) = app.strangers.take() {
        app.audit.record(own_record("refuseStrangers", Status::Fail, parameters)).await;
    }
}

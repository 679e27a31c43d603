//! Periodic tasks that run as long as the server.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use quarterdeck_actors::audit::{Caller, Status};
use quarterdeck_actors::clock::{DAY_MS, MINUTE_MS, wall_ms};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::task;
use tokio::sync::watch;
use tracing::{info, warn};

use super::cluster::telling;
use super::{announcing, guests, sampling, unconfirmed, user_names, verifying};
use crate::domain::accounts::renew_sessions;
use crate::domain::announce;
use crate::store::{Db, StoreError, own_record};
use crate::web::state::AppState;

/// The interval between two searches for database connections that are too old.
const RETIRE_INTERVAL: Duration = Duration::from_secs(30);

/// The interval between two deletions of old audit rows, and of old attempts at unknown names.
const PRUNE_INTERVAL: Duration = Duration::from_hours(1);

/// The interval between two looks for roles that a command changed.
const ROLES_INTERVAL: Duration = Duration::from_secs(5);

/// The interval between two looks for sessions that a command changed.
const SESSIONS_INTERVAL: Duration = Duration::from_secs(5);

/// The interval between two removals of sockets of servers that are gone.
const SOCKETS_INTERVAL: Duration = Duration::from_mins(1);

/// The interval between two looks at the key of the last audit row.
const KEYS_INTERVAL: Duration = Duration::from_mins(1);

/// The number of missing keys that are told.
const MAX_TOLD_KEYS: usize = 16;

/// The interval between two audit records with the number of counted refusals.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// Starts the tasks that run as long as the server.
pub(super) fn start(app: &Data<AppState>) {
    let config = app.actors.config.follow();
    keep(app, "renew_prepared", move |app| renew_prepared(app, config.clone()));
    let config = app.actors.config.follow();
    keep(app, "watch_site_path", move |app| watch_site_path(app, config.clone()));
    announcing::start(app);
    keep(app, "retire_connections", retire_connections);
    keep(app, "sample_figures", sampling::keep_sampling);
    keep(app, "report_refusals", keep_reporting_refusals);
    keep(app, "close_drafts", keep_closing_drafts);
    if app.db.is_shared() {
        keep(app, "store_sockets", |app| async move { app.actors.sockets.keep_stored().await });
        keep(app, "remove_ended_sockets", keep_removing_sockets);
        keep(app, "compare_audit_keys", keep_comparing_keys);
        keep(app, "tell_requests", telling::keep_telling_requests);
        keep(app, "tell_sockets", telling::keep_telling_sockets);
    } else {
        // Servers that share a database hear of these changes over the bus.
        keep(app, "renew_roles", keep_renewing_roles);
        keep(app, "renew_sessions", keep_renewing_sessions);
    }
    keep(app, "take_back_config", unconfirmed::keep_taking_back);
    keep(app, "prune_unknown_names", keep_pruning_names);
    keep(app, "compare_user_names", user_names::keep_comparing);
    keep(app, "deactivate_guests", guests::keep_out);
    keep(app, "verify_audits", verifying::keep_verifying);
    if let Some(days) = app.facts.options.audit_retention_days {
        keep(app, "prune_audits", move |app| keep_pruning(app, days));
    }
}

/// Removes sockets that servers left behind which are not in the list of servers any more, so that their users do not stay
/// online.
async fn keep_removing_sockets(app: Data<AppState>) {
    every(SOCKETS_INTERVAL, async || {
        if let Err(cause) = app.actors.presence.remove_ended_nodes().await {
            warn!(%cause, "sockets of servers that are gone could not be removed; the server tries again");
        }
    })
    .await;
}

/// Warns if another server writes to the audit trail with a key that this server does not have, once for each of the first
/// [`MAX_TOLD_KEYS`] keys. A start sees it only if the other server was there before.
async fn keep_comparing_keys(app: Data<AppState>) {
    let told = RefCell::new(BTreeSet::new());
    every(KEYS_INTERVAL, async || match app.db.missing_audit_key().await {
        Ok(Some(key)) if !told.borrow().contains(&key) && told.borrow().len() < MAX_TOLD_KEYS => {
            warn!(
                audit.key = key,
                "another server writes to the audit trail with a key that is missing in the audit key file of this one: give \
                 all servers one file"
            );
            told.borrow_mut().insert(key);
        }
        Ok(_) => {}
        Err(cause) => warn!(%cause, "the key of the last audit row could not be read; the server tries again"),
    })
    .await;
}

/// Starts one of them, and starts it again when it panicked.
pub(super) fn keep<F>(app: &Data<AppState>, name: &'static str, work: impl Fn(Data<AppState>) -> F + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let app = app.clone();
    task::keep(name, move || work(app.clone()));
}

/// Does `work` now, and again after each interval.
pub(super) async fn every(interval: Duration, work: impl AsyncFn()) {
    loop {
        work().await;
        tokio::time::sleep(interval).await;
    }
}

async fn renew_prepared(app: Data<AppState>, mut config: watch::Receiver<Arc<Config>>) {
    while config.changed().await.is_ok() {
        config.borrow_and_update();
        app.prepared.current(&app.actors.config);
    }
}

/// Logs each change of the path of `SiteURL` that waits for a restart.
async fn watch_site_path(app: Data<AppState>, mut config: watch::Receiver<Arc<Config>>) {
    let in_force = app.facts.site_path.as_str();
    let mut told = None;
    while config.changed().await.is_ok() {
        let waiting = app.facts.waiting_site_path(&config.borrow_and_update());
        if waiting == told {
            continue;
        }
        match &waiting {
            Some(path) => warn!(
                site_path.in_force = in_force,
                site_path.waiting = path.as_str(),
                "the path of ServiceSettings.SiteURL has changed; cookies and links use the earlier one until the \
                 server is started again"
            ),
            None => {
                info!(site_path.in_force = in_force, "the path of ServiceSettings.SiteURL is the one in force again");
            }
        }
        told = waiting;
    }
}

async fn retire_connections(app: Data<AppState>) {
    every(RETIRE_INTERVAL, async || app.db.retire_connections().await).await;
}

async fn keep_reporting_refusals(app: Data<AppState>) {
    every(REPORT_INTERVAL, async || report_refusals(&app).await).await;
}

async fn keep_pruning(app: Data<AppState>, days: i64) {
    let prune = async || match app.db.prune_audits(wall_ms() - days * DAY_MS).await {
        Ok(0) => {}
        Ok(count) => info!(audit.pruned = count, "old audit rows deleted"),
        Err(cause) => warn!(cause = %cause, "old audit rows could not be deleted"),
    };
    every(PRUNE_INTERVAL, prune).await;
}

async fn keep_renewing_roles(app: Data<AppState>) {
    let known = Cell::new(None);
    every(ROLES_INTERVAL, async || match renew_roles(&app, known.get()).await {
        Ok(mark) => known.set(Some(mark)),
        Err(cause) => warn!(%cause, "roles that a command changed could not be read"),
    })
    .await;
}

/// Reads all roles if one has changed since `known`. Returns the mark of the roles in force.
async fn renew_roles(app: &AppState, known: Option<(i64, i64)>) -> Result<(i64, i64), StoreError> {
    let mark = app.db.roles_mark().await?;
    if known != Some(mark) {
        let read = app.accounts.roles.begin_read();
        for role in app.accounts.roles.renew(read, app.db.roles().await?) {
            announce::role_updated(&app.actors.hub, &role).await;
        }
    }
    Ok(mark)
}

async fn keep_renewing_sessions(app: Data<AppState>) {
    let known = RefCell::new(None);
    every(SESSIONS_INTERVAL, async || match app.db.sessions_mark().await {
        Ok(mark) => {
            let is_known = *known.borrow() == mark;
            // A renewal that failed is tried again.
            if is_known || renew_sessions(&app.accounts.sessions, &app.actors.hub).await {
                known.replace(mark);
            }
        }
        Err(cause) => warn!(%cause, "the mark of commands that changed sessions could not be read"),
    })
    .await;
}

async fn keep_pruning_names(app: Data<AppState>) {
    let prune = async || {
        if let Err(cause) = app.db.prune_unknown_names(wall_ms()).await {
            warn!(%cause, "old login attempts for unknown names could not be deleted");
        }
    };
    every(PRUNE_INTERVAL, prune).await;
}

/// The age from which a draft of the audit trail belongs to a server that is gone, in ms. It allows for clock skew.
const MIN_DRAFT_AGE_MS: i64 = 10 * MINUTE_MS;

/// The interval between two searches for such drafts.
const CLOSE_DRAFTS_INTERVAL: Duration = Duration::from_mins(1);

/// Adds the drafts that an earlier run left to the audit trail. Several servers may share a PostgreSQL, so there only
/// drafts older than [`MIN_DRAFT_AGE_MS`] are added: younger ones may belong to another server.
pub(super) async fn close_earlier_drafts(db: &Db) {
    let is_alone = db.engine_name() == "sqlite";
    close_drafts(db, if is_alone { i64::MAX } else { wall_ms() - MIN_DRAFT_AGE_MS }).await;
}

async fn keep_closing_drafts(app: Data<AppState>) {
    let close = async || {
        let before = wall_ms() - MIN_DRAFT_AGE_MS;
        // Records of this server are stored first: otherwise a draft would take the place of a record that still waits.
        if app.trail.audit.flush().await.is_ok() {
            close_drafts(&app.db, before).await;
        }
    };
    every(CLOSE_DRAFTS_INTERVAL, close).await;
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn periodic_work_begins_at_once_and_is_done_again_after_each_interval() {
        let (times, third) = (Cell::new(0), Notify::new());
        let work = async || {
            times.set(times.get() + 1);
            if times.get() == 3 {
                third.notify_one();
            }
        };
        tokio::select! {
            () = every(Duration::from_millis(1), work) => unreachable!("it never ends"),
            () = third.notified() => {}
        }
        assert_eq!(times.get(), 3);
    }
}

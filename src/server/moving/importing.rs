//! Imports a database of Mattermost into the database that the settings name.

use std::sync::Arc;

use quarterdeck_actors::audit::{AuditRecord, Status};
use serde_json::json;

use super::{
    MoveError, MoveResult, Progress, Report, all_rows, is_of_server, of_source, of_target, other_database,
    refuse_others,
};
use crate::domain::audit::key_file::ready_keys;
use crate::server::starting_config::with_file;
use crate::settings::{Settings, Sources};
use crate::store::mattermost::{
    Comparison, Counts, Decision, IMPORTED, Mattermost, accounts, is_used, left_behind, retire_version,
};
use crate::store::{Db, StoreError, Value, described, own_record};

/// The migration that creates the table of accounts.
const FIRST_MIGRATION: &str = "V1__accounts";

/// The options of the operator.
pub(crate) struct Importing<'a> {
    /// The data source of the Mattermost.
    pub(crate) from: &'a str,
    pub(crate) is_dry_run: bool,
    pub(crate) keep_sessions: bool,
}

/// The state of the target before the import.
enum Place {
    /// It has no tables.
    New,
    /// It has the tables of this version.
    Current,
    /// It has the tables of an earlier version.
    Earlier,
}

/// Imports the rows, or compares them.
pub(crate) async fn import(
    settings: Settings,
    sources: &Sources,
    wanted: &Importing<'_>,
    tell: Progress<'_>,
) -> Result<Report, MoveError> {
    let settings = with_file(settings, sources).await?;
    let sql = &settings.config.view.sql;
    let (unread, unwritten) = (of_source(wanted.from), of_target(&sql.data_source));
    let from = other_database(wanted.from, sql).map_err(&unread)?;
    let mut source = Mattermost::open(&from).await.map_err(&unread)?;
    let db = Db::new(sql).map_err(&unwritten)?;
    let place = place(&db, &unwritten).await?;
    let is_filled = match place {
        Place::New => false,
        Place::Current | Place::Earlier => {
            let mut target = db.begin_comparison().await.map_err(&unwritten)?;
            refuse_others(&mut source.snapshot, &mut target, &unread).await?;
            accounts(&mut target).await.map_err(&unwritten)? > 0
        }
    };
    let left = left_behind(&mut source.snapshot).await.map_err(&unread)?;
    let oddities = source.oddities().await.map_err(&unread)?;
    let mut report = Report {
        from: described(wanted.from),
        to: described(&sql.data_source),
        schema: source.schema,
        tables: Vec::new(),
        left,
        oddities,
        result: MoveResult::DryRun,
    };
    if wanted.is_dry_run {
        report.tables = compare(&mut source, &db, &place, is_filled, wanted, tell).await?;
        return Ok(report);
    }
    db.migrate().await.map_err(&unwritten)?;
    merge(&mut source, &db, &settings, wanted, &mut report, tell).await?;
    Ok(report)
}

/// Returns the state of the target. Refuses a database of Mattermost.
async fn place(db: &Db, failed: &impl Fn(StoreError) -> MoveError) -> Result<Place, MoveError> {
    if db.holds_mattermost().await.map_err(failed)? {
        return Err(MoveError::Refused(
            "the target, which the settings name, is a database of Mattermost itself: name another one".to_owned(),
        ));
    }
    let pending = db.pending_migrations().await.map_err(failed)?;
    let is_new = pending.iter().any(|pending| pending == FIRST_MIGRATION);
    Ok(match (is_new, pending.is_empty()) {
        (true, _) => Place::New,
        (false, true) => Place::Current,
        (false, false) => Place::Earlier,
    })
}

/// Compares all rows and stores nothing.
async fn compare(
    source: &mut Mattermost,
    db: &Db,
    place: &Place,
    is_filled: bool,
    wanted: &Importing<'_>,
    tell: Progress<'_>,
) -> Result<Vec<(String, Counts)>, MoveError> {
    let unread = of_source(wanted.from);
    match place {
        Place::Earlier if is_filled => Err(MoveError::Refused(
            "the target has the schema of an earlier version: start the server on it once, and compare then".to_owned(),
        )),
        Place::New | Place::Earlier => rows(source, &mut Comparison::Empty, wanted, tell).await.map_err(unread),
        Place::Current => {
            let mut target = db.begin_comparison().await.map_err(&unread)?;
            rows(source, &mut Comparison::Reading(&mut target), wanted, tell).await.map_err(unread)
        }
    }
}

/// Stores the new and changed rows in one transaction, with the draft of the audit record.
async fn merge(
    source: &mut Mattermost,
    db: &Db,
    settings: &Settings,
    wanted: &Importing<'_>,
    report: &mut Report,
    tell: Progress<'_>,
) -> Result<(), MoveError> {
    let sql = &settings.config.view.sql;
    let unwritten = of_target(&sql.data_source);
    // The embedded engine lets the transaction begin only when all other connections are closed.
    if !db.is_shared() {
        db.close().await.map_err(&unwritten)?;
    }
    let tables: Vec<_> = source.tables.iter().map(|moved| &moved.table).collect();
    let mut target = db.begin_merge(&tables).await.map_err(&unwritten)?;
    let nodes = db.living_nodes().await.map_err(&unwritten)?;
    if !nodes.is_empty() {
        let names = nodes.join(", ");
        return Err(MoveError::Refused(format!("servers run on the target ({names}): stop them first")));
    }
    refuse_others(&mut source.snapshot, &mut target, &unwritten).await?;
    let is_filled = accounts(&mut target).await.map_err(&unwritten)? > 0;
    let is_in_use = is_filled && is_used(&mut target).await.map_err(&unwritten)?;
    let stored = async {
        if is_in_use {
            return rows(source, &mut Comparison::Reading(&mut target), wanted, tell).await;
        }
        if source.tables.iter().any(|moved| moved.table.name == "configurations") {
            retire_version(&mut source.snapshot, &mut target).await?;
        }
        rows(source, &mut Comparison::Writing(&mut target), wanted, tell).await
    };
    report.tables = stored.await.map_err(&unwritten)?;
    let total = report.total();
    if is_in_use && total.new > 0 {
        return Err(MoveError::Refused(format!(
            "a server has used the target since the import, and the source has {} rows that it lacks, such as sessions \
             that have ended here: import into an empty database",
            total.new
        )));
    }
    report.result = match (total.new + total.changed, is_in_use) {
        (0, _) => MoveResult::Unchanged,
        (_, true) => MoveResult::Differs,
        (_, false) => MoveResult::Stored,
    };
    if report.result != MoveResult::Stored {
        return Ok(());
    }
    let record = Arc::new(record(report, wanted));
    target.store_draft(&record).await.map_err(&unwritten)?;
    target.commit().await.map_err(&unwritten)?;
    let recorded = async {
        let db = Db::new(sql)?.with_audit_keys(ready_keys(settings));
        db.note_audit_key().await?;
        db.add_audits(&[record]).await?;
        db.close().await
    };
    recorded.await.map_err(|cause| MoveError::Unrecorded(crate::store::mattermost::problem(&cause)))
}

async fn rows(
    source: &mut Mattermost,
    target: &mut Comparison<'_>,
    wanted: &Importing<'_>,
    tell: Progress<'_>,
) -> Result<Vec<(String, Counts)>, StoreError> {
    let decide = |table: &str, row: Vec<Value>| decision(table, row, wanted.keep_sessions);
    all_rows(&mut source.snapshot, &source.tables, target, &decide, tell).await
}

/// Returns the row, unless it stays behind.
fn decision(table: &str, row: Vec<Value>, keep_sessions: bool) -> Decision {
    let is_ended = table == "sessions" && !keep_sessions;
    if is_ended || is_of_server(table, &row) { Decision::Left } else { Decision::Moved(row) }
}

fn record(report: &Report, wanted: &Importing<'_>) -> AuditRecord {
    let parameters = json!({
        "from": report.from,
        "schema": report.schema,
        "sessions_kept": wanted.keep_sessions,
        "new": report.numbers(|counts| counts.new),
        "changed": report.numbers(|counts| counts.changed),
    });
    AuditRecord { source: "cli", ..own_record(IMPORTED, Status::Success, parameters) }
}

//! Exports the database of this server into a fresh one that a Mattermost made.

use std::collections::HashSet;
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
    Comparison, Connection, Decision, EXPORTED, Mattermost, Oddities, accounts, add_following, connection, left_here,
    other_writers, records_of_exports, retire_version, with_connection,
};
use crate::store::{Db, StoreError, Value, described, own_record};

/// The options of the operator.
pub(crate) struct Exporting<'a> {
    /// The data source of the Mattermost.
    pub(crate) to: &'a str,
    pub(crate) is_dry_run: bool,
    pub(crate) keep_sessions: bool,
}

/// Exports the rows, or compares them. A target that an earlier export filled is only compared.
pub(crate) async fn export(
    settings: Settings,
    sources: &Sources,
    wanted: &Exporting<'_>,
    tell: Progress<'_>,
) -> Result<Report, MoveError> {
    let settings = with_file(settings, sources).await?;
    let sql = &settings.config.view.sql;
    let (unread, unwritten) = (of_source(&sql.data_source), of_target(wanted.to));
    let db = Db::new(sql).map_err(&unread)?;
    if !db.pending_migrations().await.map_err(&unread)?.is_empty() {
        return Err(MoveError::Refused(format!(
            "{} has no tables of this version of the program: start the server on it once, and export then",
            described(&sql.data_source)
        )));
    }
    let mut source = db.snapshot().await.map_err(&unread)?;
    source.fix_moment().await.map_err(&unread)?;
    let left = left_here(&mut source).await.map_err(&unread)?;
    let own_records = records_of_exports(&mut source).await.map_err(&unread)?;
    let to = other_database(wanted.to, sql).map_err(&unwritten)?;
    let mut mattermost = Mattermost::open(&to).await.map_err(&unwritten)?;
    let tables: Vec<_> = mattermost.tables.iter().map(|moved| &moved.table).collect();
    let begun = if wanted.is_dry_run { to.begin_comparison().await } else { to.begin_merge(&tables).await };
    let mut target = begun.map_err(&unwritten)?;
    refuse_others(&mut source, &mut target, &unwritten).await?;
    let is_filled = accounts(&mut target).await.map_err(&unwritten)? > 0;
    let has_versions = tables.iter().any(|table| table.name == "configurations");
    let connected = if has_versions { Some(connection(&mut target).await.map_err(&unwritten)?) } else { None };
    let is_written = !wanted.is_dry_run && !is_filled;
    if is_written {
        let writers = other_writers(&mut target, &mut mattermost.snapshot).await.map_err(&unwritten)?;
        if !writers.is_empty() {
            let names = writers.join(", ");
            return Err(MoveError::Refused(format!(
                "other programs are connected to the target ({names}): stop the Mattermost first"
            )));
        }
        if has_versions {
            retire_version(&mut source, &mut target).await.map_err(&unwritten)?;
        }
    }
    let rules = Rules { sessions: wanted.keep_sessions, own_records, connection: connected };
    let decide = |table: &str, row: Vec<Value>| decision(table, row, &rules);
    let mut comparison = if is_written { Comparison::Writing(&mut target) } else { Comparison::Reading(&mut target) };
    let moved = all_rows(&mut source, &mattermost.tables, &mut comparison, &decide, tell).await.map_err(&unwritten)?;
    let mut report = Report {
        from: described(&sql.data_source),
        to: described(wanted.to),
        schema: mattermost.schema,
        tables: moved,
        left,
        oddities: Oddities::default(),
        result: MoveResult::DryRun,
    };
    let total = report.total();
    report.result = match (wanted.is_dry_run, total.new + total.changed) {
        (true, _) => return Ok(report),
        (false, 0) => MoveResult::Unchanged,
        (false, _) if is_filled => {
            return Err(MoveError::Refused(format!(
                "the target has the accounts of an earlier export, and {} rows are new and {} have changed since: \
                 export into a fresh database",
                total.new, total.changed
            )));
        }
        (false, _) => MoveResult::Stored,
    };
    if report.result == MoveResult::Unchanged {
        return Ok(report);
    }
    add_following(&mut target).await.map_err(&unwritten)?;
    target.commit().await.map_err(&unwritten)?;
    // The embedded engine writes nothing while another connection reads.
    drop(source);
    recorded(&settings, &report, wanted)
        .await
        .map_err(|cause| MoveError::Unrecorded(crate::store::mattermost::problem(&cause)))?;
    Ok(report)
}

/// The rules for rows: those that stay, and the database that documents name.
struct Rules {
    sessions: bool,
    own_records: HashSet<String>,
    connection: Option<Connection>,
}

/// Returns the row as the target gets it, unless it stays behind. The links of mails end with the move, because this
/// server stores digests of their tokens.
fn decision(table: &str, row: Vec<Value>, rules: &Rules) -> Decision {
    let stays = match (table, row.first()) {
        ("sessions", _) => !rules.sessions,
        ("tokens", _) => true,
        ("audits", Some(Value::Text(id))) => rules.own_records.contains(id),
        _ => is_of_server(table, &row),
    };
    match &rules.connection {
        _ if stays => Decision::Left,
        Some(connection) if table == "configurations" => Decision::Moved(with_connection(row, connection)),
        _ => Decision::Moved(row),
    }
}

/// Adds a record to the trail of this server, which stays here.
async fn recorded(settings: &Settings, report: &Report, wanted: &Exporting<'_>) -> Result<(), StoreError> {
    let parameters = json!({
        "to": report.to,
        "schema": report.schema,
        "sessions_kept": wanted.keep_sessions,
        "new": report.numbers(|counts| counts.new),
        "changed": report.numbers(|counts| counts.changed),
    });
    let record = AuditRecord { source: "cli", ..own_record(EXPORTED, Status::Success, parameters) };
    let db = Db::new(&settings.config.view.sql)?.with_audit_keys(ready_keys(settings));
    db.note_audit_key().await?;
    db.add_audits(&[Arc::new(record)]).await
}

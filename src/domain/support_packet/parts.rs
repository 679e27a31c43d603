//! Gathers the small files of a packet as documents.

use quarterdeck_actors::config::secrets::PLACEHOLDER;
use quarterdeck_actors::config::shown::address::data_source;
use quarterdeck_actors::id::is_id;
use quarterdeck_actors::roles::Role;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::{Database, Source};
use crate::base::version::{API_VERSION, VERSION};
use crate::store::{Db, StoreError};

/// The types of jobs in a packet, by the name of their list.
const JOBS: [(&str, &str); 6] = [
    ("data_retention_jobs", "data_retention"),
    ("elastic_post_aggregation_jobs", "elasticsearch_post_aggregation"),
    ("elastic_post_indexing_jobs", "elasticsearch_post_indexing"),
    ("ldap_sync_jobs", "ldap_sync"),
    ("message_export_jobs", "message_export"),
    ("migration_jobs", "migrations"),
];

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The data about the database and the server that the database itself has.
#[derive(Debug, Default)]
pub(super) struct Identity {
    pub(super) server_id: Option<String>,
    pub(super) engine_version: Option<String>,
    pub(super) schema_version: Option<i64>,
}

/// Returns the newest jobs of each type; `None` if the database has no table of jobs.
pub(super) async fn jobs(db: &Db) -> Result<Option<Value>, StoreError> {
    if !db.has_table("jobs").await? {
        return Ok(None);
    }
    let mut jobs = serde_json::Map::new();
    for (name, kind) in JOBS {
        let newest = db.newest_jobs(kind).await?;
        jobs.insert(name.to_owned(), newest.into_iter().map(with_times).collect());
    }
    Ok(Some(Value::Object(jobs)))
}

/// Returns the roles, without the texts that administrators wrote.
pub(super) async fn permissions(db: &Db) -> Result<Value, StoreError> {
    let hide = |role: &Role| Role {
        display_name: PLACEHOLDER.to_owned(),
        description: PLACEHOLDER.to_owned(),
        ..role.clone()
    };
    let roles = db.roles().await?;
    let roles: Vec<Role> = roles.all().into_iter().map(hide).collect();
    Ok(json!({ "roles": roles, "schemes": [] }))
}

impl Source {
    /// Returns the ids of the server, the licence and the customer. Invalid ids are left out.
    pub(super) fn metadata(&self, now_ms: i64, identity: &Identity) -> Value {
        let license = self.license.as_ref();
        let ids = [
            ("server_id", identity.server_id.clone()),
            ("license_id", license.map(|license| license.id.clone())),
            ("customer_id", license.map(|license| license.customer.id.clone())),
        ];
        let mut metadata = json!({
            "version": 1,
            "type": "support-packet",
            "generated_at": now_ms,
            "server_version": VERSION,
        });
        for (name, id) in ids {
            if let (Some(id), Some(members)) = (id.filter(|id| is_id(id)), metadata.as_object_mut()) {
                members.insert(name.to_owned(), id.into());
            }
        }
        metadata
    }

    /// Returns the state of the machine and of the server's dependencies.
    pub(super) fn diagnostics(&self, identity: &Identity) -> Value {
        let sql = &self.config.view.sql;
        let engine = match &self.database {
            Database::Ready(db) => db.engine_name(),
            Database::Empty | Database::Unreadable => sql.driver_name.as_str(),
        };
        let mut diagnostics = json!({
            "version": 2,
            "server": {
                "os": std::env::consts::OS,
                "architecture": std::env::consts::ARCH,
                "cpu_cores": std::thread::available_parallelism().map_or(1, usize::from),
                "total_memory_mb": total_memory_mb(),
                "hostname": self.hostname,
                "version": VERSION,
                "api_version": API_VERSION,
                "installation_type": self.installation,
            },
            "config": {
                "store_type": self.store.clone().unwrap_or_else(|| {
                    data_source(&sql.data_source).unwrap_or_else(|| engine.to_owned())
                }),
            },
            "database": { "type": engine },
            "file_store": { "file_driver": self.config.view.file.files.driver_name },
        });
        let mut add = |section: &str, key: &str, value: Value| {
            if let Some(members) = diagnostics.as_object_mut() {
                let section = members.entry(section).or_insert_with(|| json!({}));
                section.as_object_mut().into_iter().for_each(|section| {
                    section.insert(key.to_owned(), value.clone());
                });
            }
        };
        if let Some(version) = &identity.engine_version {
            add("database", "version", version.as_str().into());
        }
        if let Some(version) = identity.schema_version {
            add("database", "schema_version", version.into());
        }
        if let Some(license) = &self.license {
            add("license", "company", license.customer.company.as_str().into());
            add("license", "users", license.seats().unwrap_or_default().into());
            add("license", "sku_short_name", license.sku_short_name.as_str().into());
            add("license", "is_trial", license.is_trial.into());
            add("license", "is_gov_sku", license.is_gov_sku.into());
        }
        if let Some(live) = &self.live {
            add("database", "master_connections", live.database_connections.into());
            add("websocket", "connections", live.sockets.into());
            let problem = live.file_problem.as_deref();
            add("file_store", "file_status", if problem.is_none() { "OK" } else { "FAIL" }.into());
            if let Some(problem) = problem {
                add("file_store", "error", problem.into());
            }
        }
        diagnostics
    }
}

/// Returns a job with its times as readable text.
fn with_times(mut job: Value) -> Value {
    for (name, value) in job.as_object_mut().into_iter().flatten() {
        if name.ends_with("_at") {
            *value = value.as_i64().and_then(timestamp).map_or(Value::Null, Value::from);
        }
    }
    job
}

fn timestamp(ms: i64) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?;
    at.format(TIME).ok()
}

fn total_memory_mb() -> u64 {
    let system = rustix::system::sysinfo();
    (system.totalram >> 20).saturating_mul(system.mem_unit.into())
}

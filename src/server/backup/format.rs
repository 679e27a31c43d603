//! The parts of a backup and the manifest that lists them.

use quarterdeck_actors::id::new_id;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::BackupError;
use crate::base::version::VERSION;
use crate::store::{Table, migrations_up_to, tables_at};

/// The format version that this program writes, and the only one that it reads.
pub(super) const FORMAT: u32 = 1;

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const SETTINGS: &str = "settings/config.toml";
pub(crate) const CUSTOM_DEFAULTS: &str = "settings/custom-defaults.json";
pub(super) const CONFIG: &str = "config/config.json";
pub(super) const VERSIONS: &str = "config/versions/";
pub(super) const LICENSE: &str = "license/license.txt";
pub(super) const KEYS: &str = "keys/audit.key";
pub(super) const FILES: &str = "files/";

/// The largest manifest, in bytes.
pub(super) const MAX_MANIFEST_BYTES: u64 = 64 * 1024 * 1024;

/// The largest part that is read into memory as a whole, in bytes.
pub(super) const MAX_SMALL_PART_BYTES: u64 = 16 * 1024 * 1024;

/// The longest row, in bytes.
pub(super) const MAX_ROW_BYTES: u64 = 16 * 1024 * 1024;

/// The description of a backup, stored inside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    pub(crate) id: String,
    /// The version of the program that created the backup.
    pub(crate) program: String,
    /// The migrations that the database had, oldest first.
    pub(crate) schema: Vec<Migration>,
    pub(crate) engine: String,
    /// The time just before the snapshot, in Unix milliseconds. The backup contains all changes acknowledged before it.
    pub(crate) taken_at: i64,
    /// The time of `taken_at` as RFC 3339.
    pub(crate) taken: String,
    /// The place of the configuration: `database`, or `file` for a `config.json`.
    pub(crate) configuration: String,
    /// The settings that environment variables pinned. The variables themselves are not in the backup.
    pub(crate) pinned_by_variables: Vec<String>,
    pub(crate) parts: Vec<Part>,
}

/// A migration that was applied to the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) name: String,
}

/// One entry of the archive.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// The number of rows; only for a table.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) rows: Option<u64>,
}

impl Manifest {
    /// Returns a new manifest without parts.
    pub(super) fn new(schema: Vec<Migration>, engine: &str, taken_at: i64, taken: String) -> Self {
        Self {
            format: FORMAT,
            id: new_id(),
            program: VERSION.to_owned(),
            schema,
            engine: engine.to_owned(),
            taken_at,
            taken,
            configuration: "database".to_owned(),
            pinned_by_variables: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Returns the version of the schema.
    pub(crate) fn schema_version(&self) -> i64 {
        self.schema.last().map_or(0, |migration| migration.version)
    }

    pub(crate) fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// Returns the tables that the backup must contain, or an error if its format or schema is unknown.
    pub(super) fn tables(&self) -> Result<Vec<Table>, BackupError> {
        if self.format != FORMAT {
            return Err(self.is_of_another_version(&format!("the format {}", self.format)));
        }
        let version = self.schema_version();
        let known = migrations_up_to(version);
        let known: Vec<Migration> = known.into_iter().map(|(version, name)| Migration { version, name }).collect();
        if let Some(unknown) = self.schema.iter().find(|migration| !known.contains(migration)) {
            return Err(self.is_of_another_version(&format!("the schema V{}__{}", unknown.version, unknown.name)));
        }
        if known != self.schema || known.is_empty() {
            return Err(BackupError::bad("its list of migrations has gaps"));
        }
        Ok(tables_at(version)?)
    }

    fn is_of_another_version(&self, what: &str) -> BackupError {
        BackupError::bad(format!(
            "it has {what}, which this program ({VERSION}) cannot read: use quarterdeck {} or later",
            self.program
        ))
    }

    /// Refuses unknown, duplicate and missing parts, and names that lead out of their folder.
    pub(super) fn check_parts(&self, tables: &[Table]) -> Result<(), BackupError> {
        let mut missing: BTreeSet<String> = tables.iter().map(|table| table_part(&table.name)).collect();
        let mut seen = BTreeSet::new();
        for Part { name, rows, .. } in &self.parts {
            let is_table = missing.remove(name);
            let is_known = is_table || [SETTINGS, CUSTOM_DEFAULTS, CONFIG, LICENSE, KEYS].contains(&name.as_str());
            let is_inner = name.strip_prefix(VERSIONS).is_some_and(|inner| !inner.contains('/'));
            let place = name.strip_prefix(VERSIONS).filter(|_| is_inner).or_else(|| name.strip_prefix(FILES));
            if !(is_known || place.is_some_and(|place| inner_path(place).is_some())) || is_table != rows.is_some() {
                return Err(BackupError::bad(format!("its manifest lists the unknown part {name:?}")));
            }
            if !seen.insert(name) {
                return Err(BackupError::bad(format!("its manifest lists {name:?} twice")));
            }
        }
        missing.pop_first().map_or(Ok(()), |name| Err(BackupError::bad(format!("it lacks {name}"))))
    }
}

/// Returns the name of the part with the rows of a table.
pub(super) fn table_part(table: &str) -> String {
    format!("tables/{table}.jsonl")
}

/// Parses a path relative to a folder. Returns `None` if it leads out of the folder or is not in its plain form.
pub(super) fn inner_path(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    let is_plain = path.components().all(|component| matches!(component, Component::Normal(_)));
    let is_usual = name.split('/').all(|part| !part.is_empty() && part != ".") && !name.contains(['\\', '\0']);
    (is_plain && is_usual).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::newest_migration;

    fn manifest() -> Manifest {
        let schema = migrations_up_to(newest_migration()).into_iter();
        let schema = schema.map(|(version, name)| Migration { version, name }).collect();
        let mut manifest = Manifest::new(schema, "sqlite", 0, String::new());
        for table in manifest.tables().unwrap() {
            manifest.parts.push(part(&table_part(&table.name), Some(0)));
        }
        manifest
    }

    fn part(name: &str, rows: Option<u64>) -> Part {
        Part { name: name.to_owned(), bytes: 0, sha256: String::new(), rows }
    }

    fn refusal(change: impl FnOnce(&mut Manifest)) -> String {
        let mut manifest = manifest();
        change(&mut manifest);
        let checked = manifest.tables().and_then(|tables| manifest.check_parts(&tables));
        checked.unwrap_err().to_string()
    }

    #[test]
    fn names_that_lead_elsewhere_or_that_no_backup_has_are_refused() {
        let names = [
            "files/../../etc/passwd",
            "files//etc/passwd",
            "files/a/./b",
            "files/a\\b",
            "files/a\0b",
            "files/",
            "/etc/passwd",
            "config/versions/a/b.json",
            "config/versions/..",
            "tables/other.jsonl",
            "other",
        ];
        for name in names {
            assert!(refusal(|manifest| manifest.parts.push(part(name, None))).contains("the unknown part"), "{name}");
        }
        let good = ["files/brand/image.png", "files/a..b", "config/versions/1-a.json", KEYS];
        let mut manifest = manifest();
        manifest.parts.extend(good.map(|name| part(name, None)));
        manifest.check_parts(&manifest.tables().unwrap()).unwrap();
    }

    #[test]
    fn a_part_that_is_missing_or_there_twice_is_refused() {
        assert!(refusal(|manifest| manifest.parts.retain(|part| !part.name.contains("users"))).contains("it lacks"));
        assert!(refusal(|manifest| manifest.parts.extend([part(KEYS, None), part(KEYS, None)])).contains("twice"));
        let twice = |manifest: &mut Manifest| manifest.parts.push(part("tables/users.jsonl", Some(0)));
        assert!(refusal(twice).contains("tables/users.jsonl"));
    }

    #[test]
    fn a_later_schema_or_format_is_refused_with_the_version_that_it_needs() {
        let later = |manifest: &mut Manifest| {
            manifest.program = "9.9.9".to_owned();
            manifest.schema.push(Migration { version: 9_000, name: "later".to_owned() });
        };
        let refused = refusal(later);
        assert!(refused.contains("V9000__later") && refused.contains("quarterdeck 9.9.9 or later"), "{refused}");
        assert!(refusal(|manifest| manifest.format = 2).contains("the format 2"));
        assert!(refusal(|manifest| drop(manifest.schema.remove(1))).contains("gaps"));
        assert!(refusal(|manifest| manifest.schema.clear()).contains("gaps"));
    }
}

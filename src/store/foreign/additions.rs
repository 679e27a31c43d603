//! The objects that this server adds to a database of Mattermost. They are read from the statements that make them, so
//! there is no second list to maintain.

use std::collections::BTreeSet;
use std::fmt;

use super::super::embedded::migrations;
use super::super::engine::MIGRATIONS_TABLE;
use super::super::{Db, Statement, StoreError, Value, statement};

/// The statements beside the migrations that make objects on PostgreSQL.
const FILES: [&str; 5] = [
    include_str!("../../../sql/postgres_cluster.sql"),
    include_str!("../../../sql/postgres_questions.sql"),
    include_str!("../../../sql/postgres_restarts.sql"),
    include_str!("../../../sql/postgres_names.sql"),
    include_str!("../../../sql/postgres_presence.sql"),
];

/// The rows of `systems` with the objects that were added under names of Mattermost, such as a table of its that was
/// missing. Each has a number at its end, or `Configuration`.
pub(in crate::store) const ADDED: &str = "QuarterdeckAdded";

/// The tables of the configuration, which Mattermost makes too as soon as it keeps its configuration in the database.
pub(super) const CONFIGURATION: [&str; 2] = ["configurations", "configurationfiles"];

/// The rows that have a number.
const NOTED: &str = "SELECT value FROM systems WHERE name ~ '^QuarterdeckAdded[0-9]+$'";

/// The characters of the names in one such row, which holds up to 1024.
const MAX_ROW_CHARACTERS: usize = 960;

/// The indexes and tables that exist, by their names in the search path. An index that was not finished is left out.
const EXISTING: &str = "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL \
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indexrelid = to_regclass(name) AND NOT i.indisvalid)";

/// The objects that a start adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Additions {
    tables: Vec<String>,
    /// Each index with its table and the statement that makes it.
    indexes: Vec<(String, String, String)>,
    /// The tables with triggers.
    triggers: BTreeSet<String>,
    trigger_names: BTreeSet<String>,
    functions: BTreeSet<String>,
}

impl Additions {
    /// Reads the objects from all statements.
    pub(super) fn of_statements() -> Self {
        Self::of(|_| true, &FILES)
    }

    /// Reads the objects from the statements of pending migrations.
    pub(super) fn of_migrations(pending: &[String]) -> Self {
        Self::of(|name| pending.iter().any(|pending| pending == name), &[])
    }

    fn of(is_applied: impl Fn(&str) -> bool, files: &[&str]) -> Self {
        let runner = migrations::runner();
        let migrations = runner.get_migrations().iter().filter(|known| is_applied(&known.to_string()));
        let migrations: Vec<&str> = migrations.filter_map(|known| known.sql()).collect();
        let mut found = Self::default();
        for file in migrations.iter().chain(files) {
            let text: String =
                file.lines().filter(|line| !line.starts_with("--")).flat_map(|line| [line, "\n"]).collect();
            text.split(';').for_each(|statement| found.add(statement.trim()));
        }
        found
    }

    fn add(&mut self, text: &str) {
        let mut words = text.split([' ', '\n', '(']).filter(|word| !word.is_empty());
        let mut after = |skipped: &[&str]| words.by_ref().find(|word| !skipped.contains(word)).map(str::to_owned);
        let is_table = ["CREATE TABLE ", "CREATE UNLOGGED TABLE "].iter().any(|start| text.starts_with(start));
        let is_trigger = text.starts_with("CREATE TRIGGER ");
        let is_index = text.starts_with("CREATE INDEX IF NOT EXISTS ");
        let is_function = text.starts_with("CREATE OR REPLACE FUNCTION ");
        let words =
            ["CREATE", "OR", "REPLACE", "UNLOGGED", "TABLE", "INDEX", "TRIGGER", "FUNCTION", "IF", "NOT", "EXISTS"];
        let Some(name) = after(&words) else { return };
        let on = || text.split(" ON ").nth(1)?.split([' ', '\n']).next().map(str::to_owned);
        match (is_table, is_index, is_trigger) {
            (true, ..) => self.tables.push(name),
            (_, true, _) => self.indexes.extend(on().map(|table| (name, table, text.to_owned()))),
            (_, _, true) => {
                self.triggers.extend(on());
                self.trigger_names.insert(name);
            }
            _ if is_function => {
                self.functions.insert(name);
            }
            _ => {}
        }
    }

    /// Returns true if this version makes an object of this kind and name.
    pub(super) fn makes(&self, kind: &str, name: &str) -> bool {
        match kind {
            "table" => self.tables.iter().any(|table| table == name) || name == MIGRATIONS_TABLE,
            "index" => self.indexes.iter().any(|(index, ..)| index == name),
            "trigger" => self.trigger_names.contains(name),
            "function" => self.functions.contains(name),
            _ => false,
        }
    }

    /// Returns the statements that make the missing indexes of existing tables without keeping writers from them.
    ///
    /// Those of this server's own tables are left to the migrations, which may add their columns first.
    pub(in crate::store) fn concurrent_indexes(&self) -> Vec<(String, String)> {
        let is_of_mattermost = |table: &String| !self.tables.contains(table) && !table.starts_with("qd_");
        let existing = self.indexes.iter().filter(|(_, table, _)| is_of_mattermost(table));
        let concurrent = |text: &str| text.replacen("CREATE INDEX ", "CREATE INDEX CONCURRENTLY ", 1);
        existing.map(|(name, _, text)| (name.clone(), concurrent(text))).collect()
    }

    /// Returns the tables that no Mattermost makes.
    pub(super) fn own_tables(self) -> impl Iterator<Item = String> {
        self.tables.into_iter().filter(|table| table.starts_with("qd_"))
    }

    fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.indexes.is_empty() && self.triggers.is_empty()
    }

    /// Returns the objects whose names do not tell that they are of this server.
    fn under_other_names(&self) -> Vec<String> {
        let tables = self.tables.iter().filter(|name| !name.starts_with("qd_"));
        let is_other = |name: &&String| !name.starts_with("idx_qd_");
        let on_existing = self.indexes.iter().filter(|(_, table, _)| !self.tables.contains(table));
        tables.chain(on_existing.map(|(name, ..)| name).filter(is_other)).cloned().collect()
    }
}

impl fmt::Display for Additions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on_existing = self.indexes.iter().filter(|(_, table, _)| !self.tables.contains(table));
        let indexes: Vec<String> = on_existing.map(|(name, table, _)| format!("{name} on {table}")).collect();
        let triggers: Vec<&str> = self.triggers.iter().map(String::as_str).collect();
        for (kind, names) in [
            ("the tables", self.tables.join(", ")),
            ("the indexes", indexes.join(", ")),
            ("triggers on", triggers.join(", ")),
        ] {
            if !names.is_empty() {
                write!(formatter, "{kind} {names}; ")?;
            }
        }
        formatter.write_str("rows of systems whose names begin with Quarterdeck")
    }
}

impl Db {
    /// Returns the objects that the next start adds to a database of Mattermost: the missing ones that its statements make,
    /// missing indexes of this server on tables of Mattermost, and the triggers if any of them is missing or of another
    /// version. Other objects of applied migrations are made by no start, also if they are missing.
    async fn additions(&self, pending: &[String]) -> Result<Additions, StoreError> {
        let [cluster, questions, restarts] = self.cluster_files_to_run().await?;
        let presence = self.tables_among(&["qd_presence"]).await?.is_empty();
        let runs = [cluster, questions, restarts, !self.has_names().await?, presence];
        let files: Vec<&str> = FILES.into_iter().zip(runs).filter(|(_, runs)| *runs).map(|(file, _)| file).collect();
        let made = Additions::of(|name| pending.iter().any(|pending| pending == name), &files);
        let all = Additions::of_statements();
        let is_own = |name: &str, table: &str| name.starts_with("idx_qd_") && !table.starts_with("qd_");
        let names = all.tables.iter().chain(all.indexes.iter().map(|(name, ..)| name)).cloned().collect();
        let rows = self.look(statement(EXISTING, vec![Value::Texts(names)])).await?;
        let existing: BTreeSet<String> = rows.into_iter().map(|mut row| row.text()).collect::<Result<_, _>>()?;
        let are_current = !(cluster || questions || restarts);
        let is_made = |name: &str, table: &str| made.makes("index", name) || is_own(name, table);
        let indexes = all.indexes.into_iter().filter(|(name, table, _)| is_made(name, table));
        Ok(Additions {
            indexes: indexes.filter(|(name, ..)| !existing.contains(name)).collect(),
            triggers: if are_current { BTreeSet::new() } else { all.triggers },
            tables: made.tables.into_iter().filter(|name| !existing.contains(name)).collect(),
            ..Additions::default()
        })
    }

    /// Returns the objects that the next start adds to a database of Mattermost; `None` if it changes nothing in it, or no
    /// Mattermost made it. `pending` are the migrations that the start applies.
    ///
    /// A server of an earlier version may have used the database, so some of the objects can be there.
    pub(crate) async fn pending_additions(&self, pending: &[String]) -> Result<Option<Additions>, StoreError> {
        if !self.is_of_mattermost().await? {
            return Ok(None);
        }
        let additions = self.additions(pending).await?;
        Ok((!pending.is_empty() || !additions.is_empty()).then_some(additions))
    }

    /// Returns the statement that notes tables of the configuration that are made under names of Mattermost without a
    /// first start; `None` if the database is none of a Mattermost, or has the tables.
    pub(in crate::store) async fn noting_configuration(
        &self,
        found: &[String],
    ) -> Result<Option<Statement>, StoreError> {
        let missing: Vec<&str> =
            CONFIGURATION.into_iter().filter(|name| !found.iter().any(|found| found == name)).collect();
        if missing.is_empty() || !self.is_of_mattermost().await? {
            return Ok(None);
        }
        let sql = "INSERT INTO systems (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        Ok(Some(statement(sql, vec![format!("{ADDED}Configuration").into(), missing.join(" ").into()])))
    }

    /// Stores the names of the objects that this start adds under names of Mattermost, so that they can be taken away
    /// again. Rows of an earlier start stay.
    pub(in crate::store) async fn note_additions(&self, additions: &Additions) -> Result<(), StoreError> {
        if additions.is_empty() {
            return Ok(());
        }
        let (mut noted, mut rows) = (BTreeSet::new(), 0);
        for mut row in self.look(statement(NOTED, Vec::new())).await? {
            noted.extend(row.text()?.split_whitespace().map(str::to_owned));
            rows += 1;
        }
        let mut names = additions.under_other_names();
        names.retain(|name| !noted.contains(name));
        for (number, names) in (rows..).zip(rows_of(&names)) {
            let sql = "INSERT INTO systems (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
            self.write(statement(sql, vec![format!("{ADDED}{number}").into(), names.into()])).await?;
        }
        Ok(())
    }
}

/// Divides names among rows of limited length.
fn rows_of(names: &[String]) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for name in names {
        match rows.last_mut().filter(|row| row.len() + name.len() < MAX_ROW_CHARACTERS) {
            Some(row) => *row = format!("{row} {name}"),
            None => rows.push(name.clone()),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_indexes_and_triggers_are_read_from_the_statements() {
        let all = Additions::of_statements();
        for table in
            ["users", "configurations", "qd_audits", "qd_audits_open", "qd_questions", "qd_user_names", "qd_presence"]
        {
            assert!(all.tables.iter().any(|name| name == table), "{table}: {:?}", all.tables);
        }
        assert!(all.triggers.contains("sessions") && all.triggers.contains("systems"), "{:?}", all.triggers);
        for (kind, name) in [
            ("table", "qd_migrations"),
            ("table", "qd_user_names"),
            ("index", "idx_qd_audits_newest"),
            ("trigger", "qd_license_stored"),
            ("function", "qd_now"),
            ("function", "qd_tell_of_row"),
            ("function", "qd_ask"),
        ] {
            assert!(all.makes(kind, name), "{kind} {name}");
            assert!(!all.makes(kind, "qd_of_another_program"), "{kind}");
        }
        let functions: usize = FILES.iter().map(|file| file.matches("CREATE OR REPLACE FUNCTION ").count()).sum();
        let triggers: usize = FILES.iter().map(|file| file.matches("CREATE TRIGGER ").count()).sum();
        assert_eq!((all.functions.len(), all.trigger_names.len()), (functions, triggers));
        let (_, table, text) = all.indexes.iter().find(|(name, ..)| name == "idx_qd_audits_newest").unwrap();
        assert_eq!((table.as_str(), text.starts_with("CREATE INDEX")), ("audits", true));
        assert!(all.indexes.iter().all(|(name, table, _)| name.starts_with("idx_") && !table.is_empty()));
    }

    #[test]
    fn only_indexes_of_existing_tables_are_made_concurrently() {
        let mut some = Additions::of_statements();
        some.tables.retain(|table| table != "audits");
        let (names, texts): (Vec<_>, Vec<_>) = some.concurrent_indexes().into_iter().unzip();
        assert_eq!(names, ["idx_qd_audits_of_user", "idx_audits_user_id", "idx_qd_audits_newest"]);
        assert!(texts[0].starts_with("CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_qd_audits_of_user ON audits"));
        assert!(some.under_other_names().contains(&"idx_audits_user_id".to_owned()));
        assert!(!some.under_other_names().iter().any(|name| name.contains("qd_")));
    }

    #[test]
    fn only_what_is_added_is_told_and_own_tables_get_their_indexes_from_the_migrations() {
        let index = |name: &str, table: &str| (name.to_owned(), table.to_owned(), format!("CREATE INDEX {name}"));
        let mut some = Additions {
            indexes: vec![index("idx_qd_audits_of_user", "audits"), index("idx_qd_x", "qd_audits")],
            ..Additions::default()
        };
        let told = "the indexes idx_qd_audits_of_user on audits, idx_qd_x on qd_audits; rows of systems whose names begin \
                    with Quarterdeck";
        assert_eq!(some.to_string(), told);
        assert_eq!(some.concurrent_indexes().len(), 1);
        assert!(!some.is_empty());
        some.indexes.clear();
        assert!(some.is_empty());
    }

    #[test]
    fn a_later_start_makes_only_what_its_pending_migrations_make() {
        let later = Additions::of_migrations(&["V12__tokens".to_owned(), "V13__audits_of_user".to_owned()]);
        assert_eq!((later.tables.as_slice(), later.indexes.len()), (["tokens".to_owned()].as_slice(), 1));
        assert!(later.makes("index", "idx_qd_audits_of_user") && Additions::of_migrations(&[]).is_empty());
    }

    #[test]
    fn names_are_divided_among_rows_that_fit() {
        let names: Vec<String> = (0..100).map(|number| format!("idx_of_a_table_with_a_long_name_{number}")).collect();
        let rows = rows_of(&names);
        assert!(rows.len() > 1 && rows.iter().all(|row| row.len() <= MAX_ROW_CHARACTERS));
        assert_eq!(rows.join(" ").split(' ').collect::<Vec<_>>(), names);
    }
}

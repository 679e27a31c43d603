//! The objects that this server added to a database of Mattermost, as they are there now.

use std::fmt;

use super::super::{Db, Row, Statement, StoreError, Value, statement};
use super::additions::{ADDED, Additions, CONFIGURATION};

/// The objects of this server in the schema into which new tables go: their kind, their name, the statement that drops
/// them, their owner, and whether the role may drop them. Names that an earlier start noted are in `$1`. Other objects whose
/// names begin in the same way are found too. The order is the one in which they can be dropped.
const OBJECTS: &str = "WITH own AS (SELECT c.oid, c.relname, c.relowner FROM pg_catalog.pg_class c \
     WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'p') \
     AND (c.relname LIKE 'qd@_%' ESCAPE '@' OR c.relname = ANY ($1::text[]::name[]))), \
     others AS (SELECT c.oid, c.relname, c.relowner FROM pg_catalog.pg_class c \
     WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'p') \
     AND c.oid NOT IN (SELECT oid FROM own)), \
     found AS (SELECT 1 AS place, 'trigger' AS kind, t.tgname::text AS bare, t.tgname || ' on ' || o.relname AS name, \
     format('DROP TRIGGER %I ON %I', t.tgname, o.relname) AS sql, o.relowner AS owner \
     FROM others o JOIN pg_catalog.pg_trigger t ON t.tgrelid = o.oid \
     WHERE NOT t.tgisinternal AND t.tgname LIKE 'qd@_%' ESCAPE '@' \
     UNION ALL SELECT 2, 'index', c.relname::text, c.relname || ' on ' || o.relname, format('DROP INDEX %I', c.relname), o.relowner \
     FROM others o JOIN pg_catalog.pg_index i ON i.indrelid = o.oid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
     WHERE c.relname LIKE 'idx@_qd@_%' ESCAPE '@' OR c.relname = ANY ($1::text[]::name[]) \
     UNION ALL SELECT 3, 'table', o.relname::text, o.relname, format('DROP TABLE %I', o.relname), o.relowner FROM own o \
     UNION ALL SELECT 4, 'function', p.proname::text, p.oid::regprocedure::text, \
     format('DROP FUNCTION %s', p.oid::regprocedure), p.proowner FROM pg_catalog.pg_proc p WHERE p.pronamespace = to_regnamespace(quote_ident(current_schema())) \
     AND p.prokind = 'f' AND p.proname LIKE 'qd@_%' ESCAPE '@') \
     SELECT kind, bare, name, sql, quote_ident(pg_get_userbyid(owner)), pg_has_role(owner, 'USAGE'), quote_ident(current_user) \
     FROM found ORDER BY place, name";

/// The rows of `systems` that this server stored.
const ROWS: &str = "SELECT name, COALESCE(value, '') FROM systems WHERE name LIKE 'Quarterdeck%' ORDER BY name";

/// True if a Mattermost has its configuration in the database. Then the tables of the configuration are its own, also if
/// this server made them first.
const HAS_CONFIGURATION: &str =
    "SELECT to_regclass(quote_ident(current_schema()) || '.db_config_migrations') IS NOT NULL";

/// Deletes them.
pub(super) const DELETION: &str = "DELETE FROM systems WHERE name LIKE 'Quarterdeck%'";

/// An object that can be dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Object {
    kind: String,
    /// The name without that of its table or its parameters.
    bare: String,
    name: String,
    sql: String,
    owner: String,
    is_droppable: bool,
    role: String,
}

/// The objects and rows of this server in a database of Mattermost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Detachable {
    objects: Vec<Object>,
    /// Objects whose names begin as those of this server, and that this version does not make.
    unknown: Vec<Object>,
    rows: Vec<String>,
    /// The names that an earlier start noted: objects of this server under names of Mattermost.
    noted: Vec<String>,
}

impl Detachable {
    /// Returns true if nothing of this server is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.rows.is_empty()
    }

    /// Returns true if this table is there and was added.
    pub(crate) fn has_table(&self, name: &str) -> bool {
        self.named("table").contains(&name)
    }

    /// Returns true if this function is there.
    pub(crate) fn has_function(&self, name: &str) -> bool {
        self.named("function").contains(&name)
    }

    /// Returns true if the same objects are there in `other`.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.objects, &self.unknown, &self.noted) == (&other.objects, &other.unknown, &other.noted)
    }

    /// Names the objects that may be those of another program; empty if there are none.
    pub(crate) fn unknown(&self) -> String {
        let names: Vec<String> =
            self.unknown.iter().map(|object| format!("the {} {}", object.kind, object.name)).collect();
        names.join(", ")
    }

    /// Refuses objects that may be those of another program, by their names.
    pub(crate) fn refuse_unknown(&self) -> Result<(), StoreError> {
        if self.unknown.is_empty() {
            return Ok(());
        }
        Err(StoreError::Setting(format!(
            "this version does not make {}, whose names begin as those of this server: rename what is of another program, \
             or use the version that made it",
            self.unknown()
        )))
    }

    /// Returns the statements that drop the objects, in their order.
    pub(super) fn statements(&self) -> Vec<&str> {
        self.objects.iter().map(|object| object.sql.as_str()).collect()
    }

    /// Refuses a role that may not drop all objects, with the statements that their owners run.
    pub(crate) fn refuse_without_rights(&self) -> Result<(), StoreError> {
        let refused: Vec<&Object> = self.objects.iter().filter(|object| !object.is_droppable).collect();
        let Some(first) = refused.first() else { return Ok(()) };
        let mut owners: Vec<&str> = refused.iter().map(|object| object.owner.as_str()).collect();
        owners.sort_unstable();
        owners.dedup();
        let names: Vec<String> = refused.iter().map(|object| format!("the {} {}", object.kind, object.name)).collect();
        let grants: Vec<String> = owners.iter().map(|owner| format!("GRANT {owner} TO {}", first.role)).collect();
        Err(StoreError::Setting(format!(
            "the role {} may not drop {}: {}",
            first.role,
            names.join(", "),
            grants.join("; ")
        )))
    }

    fn named(&self, kind: &str) -> Vec<&str> {
        self.objects.iter().filter(|object| object.kind == kind).map(|object| object.name.as_str()).collect()
    }
}

impl fmt::Display for Detachable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [("table", "tables"), ("index", "indexes"), ("trigger", "triggers"), ("function", "functions")];
        let mut parts: Vec<String> = Vec::new();
        for (kind, several) in kinds {
            let names = self.named(kind);
            if !names.is_empty() {
                parts.push(format!("the {several} {}", names.join(", ")));
            }
        }
        if !self.rows.is_empty() {
            parts.push(format!("the rows of systems {}", self.rows.join(", ")));
        }
        formatter.write_str(&parts.join("; "))
    }
}

impl Db {
    /// Returns the objects and rows that this server added to a database of Mattermost.
    pub(crate) async fn detachable(&self) -> Result<Detachable, StoreError> {
        Detachable::found_by(async |statement| self.look(statement).await).await
    }
}

impl Detachable {
    /// Finds the objects and rows with statements that only read.
    pub(super) async fn found_by(
        look: impl AsyncFn(Statement) -> Result<Vec<Row>, StoreError>,
    ) -> Result<Self, StoreError> {
        let mut found = Self::default();
        for mut row in look(statement(ROWS, Vec::new())).await? {
            let (name, value) = (row.text()?, row.text()?);
            if name.starts_with(ADDED) {
                found.noted.extend(value.split_whitespace().map(str::to_owned));
            }
            found.rows.push(name);
        }
        let has_configuration = look(statement(HAS_CONFIGURATION, Vec::new())).await?;
        if has_configuration.into_iter().next().map_or(Ok(false), |mut row| row.bool())? {
            found.noted.retain(|name| !CONFIGURATION.contains(&name.as_str()));
        }
        let rows = look(statement(OBJECTS, vec![Value::Texts(found.noted.clone())])).await?;
        let objects: Vec<Object> = rows.into_iter().map(object).collect::<Result<_, _>>()?;
        let made = Additions::of_statements();
        (found.objects, found.unknown) = objects.into_iter().partition(|object| made.makes(&object.kind, &object.bare));
        Ok(found)
    }
}

fn object(mut row: Row) -> Result<Object, StoreError> {
    Ok(Object {
        kind: row.text()?,
        bare: row.text()?,
        name: row.text()?,
        sql: row.text()?,
        owner: row.text()?,
        is_droppable: row.bool()?,
        role: row.text()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, name: &str, owner: &str) -> Object {
        let [kind, name, owner] = [kind, name, owner].map(str::to_owned);
        Object {
            sql: format!("DROP {kind} {name}"),
            is_droppable: owner == "clerk",
            bare: name.clone(),
            kind,
            name,
            owner,
            role: "clerk".to_owned(),
        }
    }

    #[test]
    fn objects_are_told_by_kind_and_those_of_others_are_refused_by_name() {
        let mut found = Detachable {
            objects: vec![object("index", "idx_qd_a on audits", "clerk"), object("table", "qd_audits", "clerk")],
            rows: vec!["QuarterdeckAuditHead".to_owned()],
            ..Detachable::default()
        };
        assert!(found.refuse_unknown().is_ok());
        found.unknown.push(object("table", "qd_notes", "clerk"));
        let refused = found.refuse_unknown().unwrap_err().to_string();
        assert!(refused.contains("this version does not make the table qd_notes"), "{refused}");
        assert_eq!(
            found.to_string(),
            "the tables qd_audits; the indexes idx_qd_a on audits; the rows of systems QuarterdeckAuditHead"
        );
        assert!(found.refuse_without_rights().is_ok() && found.has_table("qd_audits") && !found.is_empty());
        found.objects.push(object("function", "qd_now()", "mmuser"));
        let refused = found.refuse_without_rights().unwrap_err().to_string();
        assert!(refused.contains("the role clerk may not drop the function qd_now()"), "{refused}");
        assert!(refused.contains("GRANT mmuser TO clerk") && !refused.contains("qd_audits"), "{refused}");
        assert!(Detachable::default().is_empty());
    }
}

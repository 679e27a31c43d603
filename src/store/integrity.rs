//! Finds rows whose parent row is missing.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Db, StoreError, statement};

/// The maximum number of orphaned rows that are reported for one relation.
const MAX_ORPHANS: usize = 10_000;

/// The relations that Mattermost checks. The columns are the parent, the child, the child's column with the parent's
/// id, the child's id column, and whether an empty parent id means no parent.
const TABLE: &str = include_str!("integrity/relations.tsv");

/// A relation between a child table and its parent table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) parent: &'static str,
    pub(crate) child: &'static str,
    /// The column of the child that holds the parent's id.
    pub(crate) parent_id_attr: &'static str,
    /// The column with the child's own id, or empty if it has none.
    pub(crate) child_id_attr: &'static str,
    exempt: &'static str,
}

/// A row whose parent is missing.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OrphanedRecord)]
pub(crate) struct Orphan {
    /// The row's own id.
    #[schema(required = true)]
    pub(crate) child_id: Option<String>,
    /// The parent's id in the row.
    #[schema(required = true)]
    pub(crate) parent_id: Option<String>,
}

/// The result of checking one relation.
pub(crate) type Outcome = Result<Vec<Orphan>, StoreError>;

impl Relation {
    /// Returns all relations in the order of the report.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        TABLE.lines().skip(1).filter_map(|line| {
            let mut columns = line.split('\t');
            Some(Self {
                parent: columns.next()?,
                child: columns.next()?,
                parent_id_attr: columns.next()?,
                child_id_attr: columns.next()?,
                exempt: columns.next()?,
            })
        })
    }

    fn sql(&self) -> String {
        let Self { parent, child, parent_id_attr, child_id_attr, exempt } = self;
        let child_id = if child_id_attr.is_empty() { "NULL".to_owned() } else { format!("c.{child_id_attr}") };
        let exemption = match *exempt {
            "empty" => format!(" AND COALESCE(c.{parent_id_attr}, '') <> ''"),
            "direct" => format!(" AND (c.{parent_id_attr} <> '' OR c.type NOT IN ('D', 'G'))"),
            _ => String::new(),
        };
        format!(
            "SELECT c.{parent_id_attr}, {child_id} FROM {child} c LEFT JOIN {parent} p ON p.id = c.{parent_id_attr}
             WHERE p.id IS NULL{exemption} ORDER BY c.{parent_id_attr} LIMIT {MAX_ORPHANS}"
        )
    }
}

impl Db {
    /// Returns the orphaned rows of one relation; none when the database lacks one of the tables.
    pub(crate) async fn orphans(&self, relation: &Relation) -> Outcome {
        let has = async |name: &str| self.has_table(&name.to_lowercase()).await;
        if !(has(relation.parent).await? && has(relation.child).await?) {
            return Ok(Vec::new());
        }
        let rows = self.read(statement(relation.sql(), Vec::new())).await?;
        let orphan =
            |mut row: super::Row| Ok(Orphan { parent_id: row.optional_text()?, child_id: row.optional_text()? });
        rows.into_iter().map(orphan).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_relations_of_the_original_in_its_order() {
        let relations: Vec<_> = Relation::all().collect();
        assert_eq!(relations.len(), 41);
        assert_eq!((relations[0].parent, relations[0].child), ("Channels", "CommandWebhooks"));
        assert_eq!((relations[40].parent, relations[40].child), ("Users", "UserAccessTokens"));
    }
}

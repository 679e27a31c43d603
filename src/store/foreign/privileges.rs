//! Privileges on the rows of a database of Mattermost, which may have been taken away since an earlier start.

use std::collections::BTreeMap;

use super::super::copying::{newest_migration, tables_at};
use super::super::{Db, StoreError, Value, statement};
use super::Additions;
use super::belongings;

/// The privileges on the tables that requests write to.
const ON_OWN: &str = "SELECT, INSERT, UPDATE, DELETE";

/// The tables in the schema of new tables on whose rows the role lacks one of the privileges, with these and the role. A
/// table with rows to insert also needs the sequences of its columns.
const LACKING: &str = "SELECT wanted.needed || ' ON', quote_ident(n.nspname) || '.' || quote_ident(c.relname), \
     quote_ident(current_user) FROM unnest($1::text[], $2::text[]) AS wanted(name, needed) \
     JOIN pg_catalog.pg_class c ON c.oid = to_regclass(quote_ident(current_schema()) || '.' || wanted.name) \
     AND c.relkind IN ('r', 'p') JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE NOT (SELECT bool_and(has_table_privilege(c.oid, one)) FROM unnest(string_to_array(wanted.needed, ', ')) AS one) \
     UNION ALL SELECT 'USAGE ON SEQUENCE', quote_ident(n.nspname) || '.' || quote_ident(s.relname), \
     quote_ident(current_user) FROM unnest($1::text[], $2::text[]) AS wanted(name, needed) \
     JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass \
     AND d.refobjid = to_regclass(quote_ident(current_schema()) || '.' || wanted.name) \
     AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'a' \
     JOIN pg_catalog.pg_class s ON s.oid = d.objid \
     JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace \
     WHERE wanted.needed LIKE '%INSERT%' AND CASE s.relkind WHEN 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') \
     ELSE FALSE END ORDER BY 2";

impl Db {
    /// Returns the statements that give the role of a database of Mattermost the privileges on rows that it lacks; `None` if
    /// it lacks none.
    pub(crate) async fn lacking_on_rows(&self) -> Result<Option<String>, StoreError> {
        if !self.is_of_mattermost().await? {
            return Ok(None);
        }
        let shared = tables_at(newest_migration())?.into_iter().map(|table| table.name);
        let own = Additions::of_statements().own_tables();
        let of_own = shared.chain(own).map(|table| (table, ON_OWN.to_owned()));
        let of_others = belongings::tables().map(|table| (table.to_owned(), belongings::PRIVILEGES.to_owned()));
        let (names, needed) = of_own.collect::<BTreeMap<_, _>>().into_iter().chain(of_others).unzip();
        let rows = self.look(statement(LACKING, vec![Value::Texts(names), Value::Texts(needed)])).await?;
        let lacking = rows.into_iter().map(|mut row| Ok((row.text()?, row.text()?, row.text()?)));
        Ok(grants(lacking.collect::<Result<_, StoreError>>()?))
    }
}

/// Returns one statement for each set of privileges. `lacking` has the privileges with `ON`, the table and the role.
pub(super) fn grants(lacking: Vec<(String, String, String)>) -> Option<String> {
    let mut grants: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (needed, table, role) in lacking {
        grants.entry((needed, role)).or_default().push(table);
    }
    let text = |((needed, role), tables): (&(String, String), &Vec<String>)| {
        format!("GRANT {needed} {} TO {role};", tables.join(", "))
    };
    let texts: Vec<String> = grants.iter().map(text).collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_with_the_same_privileges_are_in_one_statement() {
        let lacks = |needed: &str, table: &str| (format!("{needed} ON"), format!("public.{table}"), "clerk".to_owned());
        assert_eq!(grants(Vec::new()), None);
        let told = grants(vec![lacks(ON_OWN, "audits"), lacks("SELECT", "drafts"), lacks(ON_OWN, "users")]);
        let expected = "GRANT SELECT ON public.drafts TO clerk; GRANT SELECT, INSERT, UPDATE, DELETE ON public.audits, \
             public.users TO clerk;";
        assert_eq!(told.as_deref(), Some(expected));
    }
}

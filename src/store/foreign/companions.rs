//! Tables of Mattermost that no migration of this server creates, and that it reads or keeps up to date where they exist
//! beside its own: permission schemes, the list of public channels, and the history of memberships in channels.

use super::super::{Db, Engine, StoreError, Value, statement};

/// A table: its name, the columns that statements use, and the privileges that they need.
type Companion = (&'static str, &'static [&'static str], &'static [&'static str]);

const SCHEMES: Companion = (
    "schemes",
    &[
        "id",
        "defaultteamguestrole",
        "defaultteamuserrole",
        "defaultteamadminrole",
        "defaultchannelguestrole",
        "defaultchanneluserrole",
        "defaultchanneladminrole",
    ],
    &["SELECT"],
);

const PUBLIC_CHANNELS: Companion = (
    "publicchannels",
    &["id", "deleteat", "teamid", "displayname", "name", "header", "purpose"],
    &["SELECT", "INSERT", "UPDATE", "DELETE"],
);

const MEMBER_HISTORY: Companion =
    ("channelmemberhistory", &["channelid", "userid", "jointime", "leavetime"], &["SELECT", "INSERT", "UPDATE"]);

/// A row if the search path finds the table in the schema of `teams`, with the columns, and the role has the privileges.
const USABLE: &str = "SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1::text) AND c.relkind IN ('r', 'p') \
     AND c.relnamespace = (SELECT t.relnamespace FROM pg_catalog.pg_class t WHERE t.oid = to_regclass('teams')) \
     AND cardinality($2::text[]) = (SELECT COUNT(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid \
     AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY ($2::text[]::name[])) \
     AND (SELECT bool_and(has_table_privilege(c.oid, name)) FROM unnest($3::text[]) AS name)";

/// The table of the schemes in the schema of `teams`: its name, the role, whether the role may read it and the search path
/// finds it, and the columns that it lacks.
const SCHEMES_THERE: &str = "SELECT quote_ident(n.nspname) || '.schemes', quote_ident(current_user), \
     has_table_privilege(c.oid, 'SELECT'), COALESCE(c.oid = to_regclass('schemes'), FALSE), \
     ARRAY_TO_STRING(ARRAY(SELECT name FROM unnest($1::text[]) AS name WHERE NOT EXISTS ( \
     SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     AND a.attname = name)), ', ') \
     FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace \
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = 'schemes' AND c.relkind IN ('r', 'p') \
     WHERE t.oid = to_regclass('teams')";

/// True if a team or a channel has a scheme.
const HAVE_SCHEME: &str = "SELECT EXISTS (SELECT 1 FROM teams WHERE schemeid <> '') \
     OR EXISTS (SELECT 1 FROM channels WHERE schemeid <> '')";

/// The tables of Mattermost that statements of this server may use.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store) struct Companions {
    /// `schemes`, which names the roles of the members of teams and channels.
    pub(in crate::store) schemes: bool,
    /// `publicchannels`, from which Mattermost lists public channels.
    pub(in crate::store) public_channels: bool,
    /// `channelmemberhistory`, which says who was in a channel, and when.
    pub(in crate::store) member_history: bool,
}

impl Db {
    /// Returns the tables of Mattermost beside those of this server. The first call looks for them, and later ones return
    /// what it found: the tables and the privileges of the role do not change while the server runs.
    pub(in crate::store) async fn companions(&self) -> Result<Companions, StoreError> {
        let found = self.companions.get_or_try_init(async || {
            let is_shared = self.is_shared();
            Ok::<_, StoreError>(Companions {
                schemes: self.has_companion(&SCHEMES).await?,
                public_channels: is_shared && self.has_companion(&PUBLIC_CHANNELS).await?,
                member_history: is_shared && self.has_companion(&MEMBER_HISTORY).await?,
            })
        });
        found.await.copied()
    }

    /// Refuses a database whose teams or channels have permission schemes that cannot be read: members would have the
    /// built-in roles, which may permit more.
    pub(super) async fn refuse_unreadable_schemes(&self) -> Result<(), StoreError> {
        let (_, columns, _) = SCHEMES;
        let columns = Value::Texts(columns.iter().map(|column| (*column).to_owned()).collect());
        let there = self.look(statement(SCHEMES_THERE, vec![columns])).await?;
        let Some(mut row) = there.into_iter().next() else { return Ok(()) };
        let (table, role) = (row.text()?, row.text()?);
        let (is_readable, is_found, missing) = (row.bool()?, row.bool()?, row.text()?);
        let cure = match (is_readable, is_found) {
            (true, true) if missing.is_empty() => return Ok(()),
            (false, _) => format!("GRANT SELECT ON {table} TO {role}"),
            (true, false) => "the search path finds another table of that name first".to_owned(),
            (true, true) => format!("it lacks the columns {missing}"),
        };
        let have = self.look(statement(HAVE_SCHEME, Vec::new())).await?;
        if !have.into_iter().next().map_or(Ok(false), |mut row| row.bool())? {
            return Ok(());
        }
        Err(StoreError::Setting(format!(
            "teams or channels have permission schemes, and {table} cannot be used; nothing was changed: {cure}"
        )))
    }

    async fn has_companion(&self, (name, columns, privileges): &Companion) -> Result<bool, StoreError> {
        if let Engine::Sqlite(_) = &self.engine {
            return self.has_table(name).await;
        }
        let texts = |list: &[&str]| Value::Texts(list.iter().map(|text| (*text).to_owned()).collect());
        let values = vec![(*name).into(), texts(columns), texts(privileges)];
        Ok(!self.read(statement(USABLE, values)).await?.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use crate::store::testing::{execute, fresh};

    #[actix_web::test]
    async fn the_embedded_engine_reads_schemes_only_where_a_table_has_them() {
        for has_table in [false, true] {
            let (_folder, db) = fresh().await;
            for table in ["schemes", "publicchannels", "channelmemberhistory"].into_iter().filter(|_| has_table) {
                execute(&db, &format!("CREATE TABLE {table} (id text)")).await;
            }
            let found = db.companions().await.unwrap();
            assert_eq!([found.schemes, found.public_channels, found.member_history], [has_table, false, false]);
        }
    }
}

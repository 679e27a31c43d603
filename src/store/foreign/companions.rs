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

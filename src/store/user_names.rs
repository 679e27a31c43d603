//! The tables `qd_user_names` and, on SQLite, `qd_user_grams` with its list of pieces `qd_user_terms`: the names of all accounts in a form that a search finds
//! quickly.
//!
//! They are derived from `users`. Each statement of this server that adds an account, changes its names or deletes it
//! runs in one transaction with the statements of this file. `comparing` finds the rows of `users` that another program
//! wrote, and `search` reads the tables.

mod comparing;
mod folding;
mod frequency;
mod plan;
mod schema;
mod search;
mod statements;

use super::engine::EngineKind;
use super::{Db, Engine, Statement, Value, statement};
use crate::base::user::User;
use folding::{Searchable, grams_of};
pub(super) use frequency::Frequencies;
pub(crate) use search::UserSearch;

const REMOVE_GRAMS: &str =
    "DELETE FROM qd_user_grams WHERE rowid IN (SELECT n.place FROM qd_user_names n WHERE n.userid = $1)";

const REMOVE_ALL_GRAMS: &str = "DELETE FROM qd_user_grams WHERE rowid IN (SELECT n.place FROM qd_user_names n)";

impl Db {
    /// Returns the statements that store the names of an account. They store nothing when the account does not exist.
    pub(super) fn storing_names(&self, user: &User) -> Vec<Statement> {
        storing(self.kind(), &Searchable::of(user))
    }

    /// Returns the statements that store the changed names of an account; none when the names are unchanged.
    pub(super) fn renaming(kind: EngineKind, before: &User, after: &User) -> Vec<Statement> {
        let names = Searchable::of(after);
        if names == Searchable::of(before) { Vec::new() } else { storing(kind, &names) }
    }

    /// Returns the statements that delete the names of an account.
    pub(super) fn removing_names(&self, user_id: &str) -> Vec<Statement> {
        let mut statements = Vec::new();
        if self.kind() == EngineKind::Sqlite {
            statements.push(statement(REMOVE_GRAMS, vec![user_id.into()]));
        }
        statements.push(statement("DELETE FROM qd_user_names WHERE userid = $1", vec![user_id.into()]));
        statements
    }

    /// Returns the statements that delete the names of all accounts.
    pub(super) fn removing_all_names(&self) -> Vec<Statement> {
        let names = statement("DELETE FROM qd_user_names", Vec::new());
        match self.kind() {
            EngineKind::Postgres => vec![names],
            EngineKind::Sqlite => vec![statement(REMOVE_ALL_GRAMS, Vec::new()), names],
        }
    }

    pub(super) fn kind(&self) -> EngineKind {
        match &self.engine {
            Engine::Postgres(_) => EngineKind::Postgres,
            Engine::Sqlite(_) => EngineKind::Sqlite,
        }
    }
}

fn storing(kind: EngineKind, stored: &Searchable) -> Vec<Statement> {
    let id = &stored.user_id;
    let mut values: Vec<Value> = vec![
        id.into(),
        (&stored.username).into(),
        (&stored.names).into(),
        (&stored.fullname).into(),
        (&stored.email).into(),
        stored.everything().into(),
    ];
    match kind {
        EngineKind::Postgres => {
            let sql = "INSERT INTO qd_user_names (userid, username, names, fullname, email, everything, grams) \
                       SELECT u.id, $2, $3, $4, $5, $6, CAST($7 AS text[]) FROM users u WHERE u.id = $1 \
                       ON CONFLICT (userid) DO UPDATE SET username = excluded.username, names = excluded.names, \
                       fullname = excluded.fullname, email = excluded.email, everything = excluded.everything, \
                       grams = excluded.grams";
            values.push(Value::Texts(grams_of(stored)));
            vec![statement(sql, values)]
        }
        EngineKind::Sqlite => {
            let sql = "INSERT INTO qd_user_names (userid, username, names, fullname, email, everything) \
                       SELECT u.id, $2, $3, $4, $5, $6 FROM users u WHERE u.id = $1 \
                       ON CONFLICT (userid) DO UPDATE SET username = excluded.username, names = excluded.names, \
                       fullname = excluded.fullname, email = excluded.email, everything = excluded.everything";
            // Two line breaks at the end, so that a piece of three characters begins with each character of a text.
            let grams = "INSERT INTO qd_user_grams (rowid, names, fullname, email) \
                         SELECT n.place, n.names || char(10, 10), n.fullname || char(10, 10), n.email || char(10, 10) \
                         FROM qd_user_names n WHERE n.userid = $1";
            vec![statement(REMOVE_GRAMS, vec![id.into()]), statement(sql, values), statement(grams, vec![id.into()])]
        }
    }
}

#[cfg(test)]
mod tests;

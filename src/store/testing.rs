//! An empty database for the unit tests of a table.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::Session;
use serde_json::Value;
use tempfile::TempDir;

use super::users::{AccountLimit, Entry, LoginRules, SiteRules};
use super::{Db, statement};
use crate::base::user::User;

/// The rules of a site without a limit for accounts, where every account with a password can log in.
pub(crate) const RULES: SiteRules = SiteRules { limit: AccountLimit::Unlimited, logins: LoginRules::ALL };

/// Makes the table `schemes`, which a Mattermost makes and no migration of this program.
pub(super) const SCHEMES: &str = "CREATE TABLE schemes (id text, name text, displayname text, description text, \
     createat bigint, updateat bigint, deleteat bigint, scope text, defaultteamadminrole text, defaultteamuserrole text, \
     defaultchanneladminrole text, defaultchanneluserrole text, defaultteamguestrole text, defaultchannelguestrole text, \
     defaultplaybookadminrole text, defaultplaybookmemberrole text, defaultrunadminrole text, defaultrunmemberrole text)";

/// Returns an empty database with the current schema. It is gone when the folder is dropped.
pub(crate) async fn fresh() -> (TempDir, Db) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db").display().to_string();
    let source = ("SqlSettings.DataSource".to_owned(), Value::from(file));
    let db = Db::new(&Config::from_overrides([source]).unwrap().view.sql).unwrap();
    db.migrate().await.unwrap();
    (folder, db)
}

/// Returns an account whose id is its name.
pub(super) fn person(name: &str) -> User {
    User {
        id: name.to_owned(),
        create_at: 1,
        username: name.to_owned(),
        email: format!("{name}@chat.example"),
        password: Secret::new(format!("hash of {name}")),
        roles: "system_user".to_owned(),
        locale: "en".to_owned(),
        ..User::default()
    }
}

/// Adds an account whose id is its name. The first one is a system administrator.
pub(crate) async fn add(db: &Db, name: &str) {
    db.add_user(&person(name), Entry::Any, AccountLimit::Unlimited).await.unwrap().unwrap();
}

/// Returns a session of a user, last used at `used_at`; its token is its id with a `t`.
pub(crate) fn session(user_id: &str, id: &str, used_at: i64) -> Session {
    Session {
        id: id.to_owned(),
        token: Secret::new(format!("{id}t")),
        create_at: used_at,
        expires_at: 0,
        last_activity_at: used_at,
        user_id: user_id.to_owned(),
        device_id: String::new(),
        roles: String::new(),
        is_oauth: false,
        expired_notify: false,
        props: std::collections::BTreeMap::new(),
    }
}

/// Runs a statement that the server has no function for.
pub(super) async fn execute(db: &Db, sql: &str) {
    db.write_apart(statement(sql.to_owned(), Vec::new())).await.unwrap();
}

/// Returns the first column of the rows, as texts.
pub(super) async fn texts(db: &Db, sql: &str) -> Vec<String> {
    let rows = db.read(statement(sql.to_owned(), Vec::new())).await.unwrap();
    rows.into_iter().map(|mut row| row.text().unwrap()).collect()
}

/// Changes rows of the audit trail from `first` to `last`, as an attacker with access to the database would.
pub(crate) async fn tamper_with_audits(db: &Db, first: i64, last: i64) {
    let sql = "UPDATE qd_audits SET address = 'elsewhere' WHERE number >= $1 AND number <= $2";
    db.write(statement(sql, vec![first.into(), last.into()])).await.unwrap();
}

/// Changes a row of the audit trail, and names an unknown key in it, as an attacker with access to the database would.
pub(crate) async fn disguise_audit(db: &Db, number: i64, key_id: &str) {
    let sql = "UPDATE qd_audits SET source = 'elsewhere', keyid = $2 WHERE number = $1";
    db.write(statement(sql, vec![number.into(), key_id.into()])).await.unwrap();
}

/// Moves the end of the audit trail back, as an attacker with an old copy of the database would.
pub(crate) async fn cut_audits(db: &Db, after: i64, end_mark: &str) {
    db.write(statement("DELETE FROM qd_audits WHERE number > $1", vec![after.into()])).await.unwrap();
    db.set_system("QuarterdeckAuditHead", end_mark).await.unwrap();
}

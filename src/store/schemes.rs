//! The table `schemes` of Mattermost. Databases that this server made do not have it.

use super::{Db, Row, StoreError, statement};
use crate::base::paging::Paging;
use crate::base::scheme::Scheme;

const SCHEME: &str = "SELECT id, name, displayname, description, createat, updateat, deleteat, scope, defaultteamadminrole, \
     defaultteamuserrole, defaultchanneladminrole, defaultchanneluserrole, defaultteamguestrole, \
     defaultchannelguestrole, defaultplaybookadminrole, defaultplaybookmemberrole, defaultrunadminrole, \
     defaultrunmemberrole FROM schemes WHERE deleteat = 0";

impl Db {
    /// Returns the scheme with this id.
    pub(crate) async fn scheme(&self, id: &str) -> Result<Option<Scheme>, StoreError> {
        if !self.has_table("schemes").await? {
            return Ok(None);
        }
        let rows = self.read(statement(format!("{SCHEME} AND id = $1"), vec![id.into()])).await?;
        rows.into_iter().next().map(scheme).transpose()
    }

    /// Returns a page of the schemes of this scope, or of every scope, newest first.
    pub(crate) async fn schemes(&self, scope: Option<&str>, paging: Paging) -> Result<Vec<Scheme>, StoreError> {
        if !self.has_table("schemes").await? {
            return Ok(Vec::new());
        }
        let sql = format!("{SCHEME} AND ($1 = '' OR scope = $1) ORDER BY createat DESC, id LIMIT $2 OFFSET $3");
        let values = vec![scope.unwrap_or_default().into(), paging.limit().into(), paging.offset().into()];
        self.read(statement(sql, values)).await?.into_iter().map(scheme).collect()
    }
}

fn scheme(mut row: Row) -> Result<Scheme, StoreError> {
    Ok(Scheme {
        id: row.text()?,
        name: row.text()?,
        display_name: row.text()?,
        description: row.text()?,
        create_at: row.int()?,
        update_at: row.int()?,
        delete_at: row.int()?,
        scope: row.text()?,
        default_team_admin_role: row.text()?,
        default_team_user_role: row.text()?,
        default_channel_admin_role: row.text()?,
        default_channel_user_role: row.text()?,
        default_team_guest_role: row.text()?,
        default_channel_guest_role: row.text()?,
        default_playbook_admin_role: row.text()?,
        default_playbook_member_role: row.text()?,
        default_run_admin_role: row.text()?,
        default_run_member_role: row.text()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{SCHEMES, execute, fresh};

    #[actix_web::test]
    async fn schemes_are_those_of_the_scope_and_none_without_the_table() {
        let (_folder, db) = fresh().await;
        let all = Paging { page: 0, per_page: 60 };
        assert!(db.schemes(None, all).await.unwrap().is_empty() && db.scheme("a").await.unwrap().is_none());
        execute(&db, SCHEMES).await;
        execute(
            &db,
            "INSERT INTO schemes (id, name, createat, deleteat, scope, defaultteamuserrole) VALUES \
             ('a', 'one', 1, 0, 'team', 'strict'), ('b', 'two', 2, 0, 'channel', ''), ('c', 'three', 3, 9, 'team', '')",
        )
        .await;
        let names = async |scope: Option<&str>, paging| {
            let found = db.schemes(scope, paging).await.unwrap();
            found.into_iter().map(|scheme| scheme.name).collect::<Vec<_>>()
        };
        assert_eq!(names(None, all).await, ["two", "one"]);
        assert_eq!(names(Some("team"), all).await, ["one"]);
        assert_eq!(db.scheme("a").await.unwrap().unwrap().name, "one");
        assert!(db.scheme("c").await.unwrap().is_none() && db.scheme("none").await.unwrap().is_none());
        assert_eq!(names(None, Paging { page: 1, per_page: 1 }).await, ["one"]);
        assert_eq!(db.schemes(Some("team"), all).await.unwrap().first().unwrap().default_team_user_role, "strict");
    }
}

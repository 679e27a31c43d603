//! The table `roles`.

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::roles::built_in::built_in;
use quarterdeck_actors::roles::{Role, Roles};

use super::{Db, Row, Statement, StoreError, Transaction, statement};

const COLUMNS: &str = "id, name, displayname, description, createat, updateat, deleteat, permissions, schememanaged, builtin, \
     schemeid";

impl Db {
    /// Returns all roles; adds missing built-in ones first.
    pub(crate) async fn ready_roles(&self) -> Result<Roles, StoreError> {
        let known = self.roles().await?;
        let missing: Vec<Role> =
            built_in(wall_ms()).into_iter().filter(|role| known.named(&role.name).is_none()).collect();
        if missing.is_empty() {
            return Ok(known);
        }
        self.transaction(Transaction::of(missing.iter().map(insertion).collect())).await?;
        self.roles().await
    }

    /// Returns the stored role with this id, and its permissions as they are written in the table.
    pub(crate) async fn role(&self, id: &str) -> Result<Option<(Role, String)>, StoreError> {
        let sql = format!("SELECT permissions, {COLUMNS} FROM roles WHERE id = $1");
        let rows = self.read(statement(sql, vec![id.into()])).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        let text = row.text()?;
        Ok(Some((role(row)?, text)))
    }

    /// Stores the permissions of a role, if they still are the text `known`. Returns the role as it is then, or `None`
    /// if they have changed meanwhile.
    pub(crate) async fn set_permissions(
        &self,
        id: &str,
        known: &str,
        permissions: &[String],
        now: i64,
    ) -> Result<Option<Role>, StoreError> {
        let sql = format!(
            "UPDATE roles SET permissions = $3, updateat = CASE WHEN updateat >= $4 THEN updateat + 1 ELSE $4 END \
             WHERE id = $1 AND COALESCE(permissions, '') = $2 RETURNING {COLUMNS}"
        );
        let values = vec![id.into(), known.into(), written(permissions).into(), now.into()];
        self.write(statement(sql, values)).await?.into_iter().next().map(role).transpose()
    }

    /// Returns the number of the roles, and the sum of the times of their last changes. Each change makes the sum larger,
    /// also a change that a server with a slower clock stores after another one.
    pub(crate) async fn roles_mark(&self) -> Result<(i64, i64), StoreError> {
        let sql = "SELECT COUNT(*), CAST(COALESCE(SUM(updateat), 0) AS bigint) FROM roles";
        let rows = self.read(statement(sql, Vec::new())).await?;
        rows.into_iter().next().map_or(Ok((0, 0)), |mut row| Ok((row.int()?, row.int()?)))
    }

    /// Returns all stored roles.
    pub(crate) async fn roles(&self) -> Result<Roles, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM roles");
        self.read(statement(sql, Vec::new())).await?.into_iter().map(role).collect()
    }
}

/// Returns the statement that adds a role, unless another server has added it already.
fn insertion(role: &Role) -> Statement {
    let sql = format!(
        "INSERT INTO roles ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (name) DO NOTHING"
    );
    let values = vec![
        (&role.id).into(),
        (&role.name).into(),
        (&role.display_name).into(),
        (&role.description).into(),
        role.create_at.into(),
        role.update_at.into(),
        role.delete_at.into(),
        written(&role.permissions).into(),
        role.scheme_managed.into(),
        role.built_in.into(),
        role.scheme_id.clone().into(),
    ];
    statement(sql, values)
}

/// Returns permissions as the table holds them. Other programs that read it expect a space before each permission,
/// including the first.
fn written(permissions: &[String]) -> String {
    format!(" {}", permissions.join(" "))
}

fn role(mut row: Row) -> Result<Role, StoreError> {
    Ok(Role {
        id: row.text()?,
        name: row.text()?,
        display_name: row.text()?,
        description: row.text()?,
        create_at: row.int()?,
        update_at: row.int()?,
        delete_at: row.int()?,
        permissions: row.text()?.split_whitespace().map(str::to_owned).collect(),
        scheme_managed: row.bool()?,
        built_in: row.bool()?,
        scheme_id: row.optional_text()?.filter(|id| !id.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use crate::store::testing::{execute, fresh, texts};

    #[actix_web::test]
    async fn permissions_are_stored_if_nobody_changed_them_meanwhile() {
        let (_folder, db) = fresh().await;
        let id = db.ready_roles().await.unwrap().named("team_user").unwrap().id.clone();
        let (role, text) = db.role(&id).await.unwrap().unwrap();
        let before = db.roles_mark().await.unwrap();
        let wanted = ["view_team".to_owned(), "create_post".to_owned()];
        let stored = db.set_permissions(&id, &text, &wanted, 5).await.unwrap().unwrap();
        assert_eq!((stored.permissions.as_slice(), stored.update_at), (wanted.as_slice(), role.update_at + 1));
        assert_eq!(db.set_permissions(&id, &text, &[], 9).await.unwrap(), None, "it was changed meanwhile");
        let (again, text) = db.role(&id).await.unwrap().unwrap();
        assert_eq!((again, text.as_str()), (stored, " view_team create_post"));
        let after = db.roles_mark().await.unwrap();
        assert_ne!(after, before);
        // The clock of the next server is behind.
        let other = db.roles().await.unwrap().named("team_guest").unwrap().id.clone();
        let (_, known) = db.role(&other).await.unwrap().unwrap();
        db.set_permissions(&other, &known, &wanted, 1).await.unwrap().unwrap();
        assert_ne!(db.roles_mark().await.unwrap(), after);
        assert!(db.role("none").await.unwrap().is_none());
    }

    #[actix_web::test]
    async fn missing_built_in_roles_are_added_and_changed_ones_stay() {
        let (_folder, db) = fresh().await;
        assert!(db.roles().await.unwrap().named("system_user").is_none());
        let made = db.ready_roles().await.unwrap();
        let user = made.named("system_user").unwrap();
        assert!(user.built_in && !user.permissions.is_empty());
        execute(&db, "UPDATE roles SET permissions = ' one two' WHERE name = 'system_user'").await;
        execute(&db, "DELETE FROM roles WHERE name = 'system_admin'").await;
        let again = db.ready_roles().await.unwrap();
        assert_eq!(again.named("system_user").unwrap().permissions, ["one", "two"]);
        assert!(again.named("system_admin").is_some());
        let spaced = texts(&db, "SELECT name FROM roles WHERE permissions <> '' AND permissions NOT LIKE ' %'").await;
        assert!(spaced.iter().all(String::is_empty), "without a space at the beginning: {spaced:?}");
    }
}

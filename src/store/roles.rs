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
    // Other programs that read this table expect a space before each permission, including the first.
    let permissions = format!(" {}", role.permissions.join(" "));
    let values = vec![
        (&role.id).into(),
        (&role.name).into(),
        (&role.display_name).into(),
        (&role.description).into(),
        role.create_at.into(),
        role.update_at.into(),
        role.delete_at.into(),
        permissions.into(),
        role.scheme_managed.into(),
        role.built_in.into(),
        role.scheme_id.clone().into(),
    ];
    statement(sql, values)
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
